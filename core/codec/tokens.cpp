#include "tokens.hpp"

#include "input_check.hpp"

namespace tq {
namespace {

template <class Void>
Void* element_at(Void* data, Element element, std::size_t index) {
  using Byte = std::conditional_t<std::is_const_v<Void>, const char, char>;
  return static_cast<Byte*>(data) + index * element_bytes(element);
}

[[noreturn]] void refuse_token(const char* name, std::size_t token, std::size_t head, std::size_t coordinate,
                               float value, float limit) {
  const auto shown = static_cast<double>(value);
  if (value - value != 0.0f) {
    invalid("%s[token %zu, head %zu, coordinate %zu] is %g: NaN and infinity cannot be cached", name, token, head,
            coordinate, shown);
  }
  invalid("%s[token %zu, head %zu, coordinate %zu] is %g: beyond %g, the largest value %s", name, token, head,
          coordinate, shown, static_cast<double>(limit),
          limit == kMaxF16 ? "of f16 (exact_dtype = TQ_BF16 holds more)" : "that can be kept here");
}

using RowsOf = RowSource (TokenSource::*)(std::size_t token, std::size_t head) const;

void check_rows(const char* name, RowsOf rows, std::size_t dim, std::size_t heads, const TokenSource& source,
                float limit) {
  const auto start = [&](std::size_t head) { return static_cast<const char*>((source.*rows)(0, head).data); };
  const bool adjacent = heads > 1 && source.count > 0 &&
                        start(1) - start(0) == static_cast<std::ptrdiff_t>(dim * element_bytes(source.element));
  const std::size_t run = adjacent ? heads : 1;  // heads that are checked at once
  for (std::size_t token = 0; token < source.count; ++token) {
    for (std::size_t head = 0; head < heads; head += run) {
      const RowSource row = (source.*rows)(token, head);
      const std::size_t bad = find_invalid_in_row(row, 0, run * dim, limit);
      if (bad < run * dim) refuse_token(name, token, head + bad / dim, bad % dim, value_at(row, 0, bad), limit);
    }
  }
}

// The largest value that `exact` and then `format` hold. Rounded to bf16 first, all from 65408 on would pass 65504.
float largest_value(Element exact, Format format) {
  if (exact == Element::kF16) return kMaxF16;
  return format == Format::kF16 ? 65407.996f : kMaxMagnitude;
}

}  // namespace

RowSource TokenSource::key_rows(std::size_t token, std::size_t head) const {
  return {element_at(keys, element, token * key_token_stride + head * key_head_stride), element, key_token_stride};
}
RowSource TokenSource::value_rows(std::size_t token, std::size_t head) const {
  return {element_at(values, element, token * value_token_stride + head * value_head_stride), element,
          value_token_stride};
}
TokenSource TokenSource::part(std::size_t first, std::size_t tokens) const {
  TokenSource part = *this;
  part.count = tokens;
  part.keys = key_rows(first, 0).data;
  part.values = value_rows(first, 0).data;
  return part;
}
RowTarget TokenTarget::key_rows(std::size_t token, std::size_t head) const {
  if (keys == nullptr) return {nullptr, element, 0};
  return {element_at(keys, element, token * key_token_stride + head * key_head_stride), element, key_token_stride};
}
RowTarget TokenTarget::value_rows(std::size_t token, std::size_t head) const {
  if (values == nullptr) return {nullptr, element, 0};
  return {element_at(values, element, token * value_token_stride + head * value_head_stride), element,
          value_token_stride};
}

void check_tokens(const Layer& layer, const TokenSource& source, Element element) {
  const LayerOptions& options = layer.options();
  check_rows("keys", &TokenSource::key_rows, options.keys.dim, options.kv_heads, source,
             largest_value(element, options.keys.format));
  check_rows("values", &TokenSource::value_rows, options.values.dim, options.kv_heads, source,
             largest_value(element, options.values.format));
}

}  // namespace tq
