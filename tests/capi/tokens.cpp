#include "tokens.hpp"

#include <cstring>

namespace tq_test {
namespace {

constexpr float kSentinel = -77.0f;

struct Strides {
  std::size_t token, head, elements;
};

Strides strides_of(Layout layout, std::size_t count, std::size_t heads, std::size_t dim) {
  if (layout == Layout::kHeadMajor) return {dim, count * dim, heads * count * dim};
  if (layout == Layout::kPadded) return {heads * (dim + 3) + 5, dim + 3, count * (heads * (dim + 3) + 5)};
  return {heads * dim, dim, count * heads * dim};
}

std::size_t index_of(const Strides& strides, std::size_t token, std::size_t head, std::size_t coordinate) {
  return token * strides.token + head * strides.head + coordinate;
}

Elements scattered(const std::vector<float>& rows, std::size_t count, std::size_t heads, std::size_t dim,
                   tq_dtype dtype, Layout layout) {
  const Strides strides = strides_of(layout, count, heads, dim);
  Elements elements(dtype, strides.elements);
  for (std::size_t t = 0; t < count; ++t)
    for (std::size_t h = 0; h < heads; ++h)
      for (std::size_t c = 0; c < dim; ++c) elements.set(index_of(strides, t, h, c), rows[(t * heads + h) * dim + c]);
  return elements;
}

std::vector<float> gathered(const Elements& elements, std::size_t count, std::size_t heads, std::size_t dim,
                            const Strides& strides) {
  std::vector<float> rows(count * heads * dim);
  for (std::size_t t = 0; t < count; ++t)
    for (std::size_t h = 0; h < heads; ++h)
      for (std::size_t c = 0; c < dim; ++c) rows[(t * heads + h) * dim + c] = elements[index_of(strides, t, h, c)];
  return rows;
}

bool gaps_are(float sentinel, const Elements& elements, std::size_t count, std::size_t heads, std::size_t dim,
              const Strides& strides) {
  std::vector<bool> used(elements.size());
  for (std::size_t t = 0; t < count; ++t)
    for (std::size_t h = 0; h < heads; ++h)
      for (std::size_t c = 0; c < dim; ++c) used[index_of(strides, t, h, c)] = true;
  for (std::size_t i = 0; i < elements.size(); ++i)
    if (!used[i] && elements[i] != sentinel) return false;
  return true;
}

// Both structs name their strides alike.
template <class Kv>
void set_strides(Kv& kv, const Shape& shape, std::size_t count, Layout layout) {
  if (layout == Layout::kContiguous) return;
  const Strides keys = strides_of(layout, count, shape.kv_heads, shape.key_dim);
  const Strides values = strides_of(layout, count, shape.kv_heads, shape.value_dim);
  kv.key_token_stride = keys.token;
  kv.key_head_stride = keys.head;
  kv.value_token_stride = values.token;
  kv.value_head_stride = values.head;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

}  // namespace

Tokens Tokens::slice(std::size_t first, std::size_t n) const {
  const auto part = [&](const std::vector<float>& rows, std::size_t row) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first * row);
    return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(n * row));
  };
  return {shape, part(keys, shape.key_row()), part(values, shape.value_row())};
}

void Tokens::push(const Tokens& more) {
  keys.insert(keys.end(), more.keys.begin(), more.keys.end());
  values.insert(values.end(), more.values.begin(), more.values.end());
}

void Tokens::resize(std::size_t n) {
  keys.resize(n * shape.key_row());
  values.resize(n * shape.value_row());
}

bool operator==(const Tokens& a, const Tokens& b) { return same_bits(a.keys, b.keys) && same_bits(a.values, b.values); }

Tokens random_tokens(Random& random, const Shape& shape, std::size_t count) {
  return {shape, gaussian(random, count * shape.key_row()), gaussian(random, count * shape.value_row())};
}

Tokens biased_tokens(Random& random, const Shape& shape, std::size_t count) {
  Tokens tokens = random_tokens(random, shape, count);
  const std::vector<float> bias = gaussian(random, shape.key_row(), 3.0f);
  for (std::size_t i = 0; i < tokens.keys.size(); ++i) tokens.keys[i] += bias[i % bias.size()];
  return tokens;
}

Tokens rounded(const Tokens& tokens, tq_dtype dtype) {
  Tokens result = tokens;
  for (float& value : result.keys) value = rounded(value, dtype);
  for (float& value : result.values) value = rounded(value, dtype);
  return result;
}

KvInput::KvInput(const Tokens& tokens, tq_dtype dtype, Layout layout)
    : keys_(scattered(tokens.keys, tokens.count(), tokens.shape.kv_heads, tokens.shape.key_dim, dtype, layout)),
      values_(scattered(tokens.values, tokens.count(), tokens.shape.kv_heads, tokens.shape.value_dim, dtype, layout)) {
  tq_kv_init(&kv_, sizeof kv_);
  kv_.dtype = dtype;
  kv_.count = tokens.count();
  kv_.keys = keys_.data();
  kv_.values = values_.data();
  set_strides(kv_, tokens.shape, tokens.count(), layout);
}

KvOutput::KvOutput(const Shape& shape, std::size_t count, tq_dtype dtype, Layout layout)
    : shape_(shape),
      count_(count),
      keys_(dtype, strides_of(layout, count, shape.kv_heads, shape.key_dim).elements),
      values_(dtype, strides_of(layout, count, shape.kv_heads, shape.value_dim).elements) {
  keys_.fill(kSentinel);
  values_.fill(kSentinel);
  tq_kv_out_init(&kv_, sizeof kv_);
  kv_.dtype = dtype;
  kv_.keys = keys_.data();
  kv_.values = values_.data();
  set_strides(kv_, shape, count, layout);
  const Strides keys = strides_of(layout, count, shape.kv_heads, shape.key_dim);
  const Strides values = strides_of(layout, count, shape.kv_heads, shape.value_dim);
  key_strides_[0] = keys.token;
  key_strides_[1] = keys.head;
  value_strides_[0] = values.token;
  value_strides_[1] = values.head;
}

Tokens KvOutput::tokens() const {
  return {shape_, gathered(keys_, count_, shape_.kv_heads, shape_.key_dim, {key_strides_[0], key_strides_[1], 0}),
          gathered(values_, count_, shape_.kv_heads, shape_.value_dim, {value_strides_[0], value_strides_[1], 0})};
}

bool KvOutput::gaps_untouched() const {
  return gaps_are(kSentinel, keys_, count_, shape_.kv_heads, shape_.key_dim, {key_strides_[0], key_strides_[1], 0}) &&
         gaps_are(kSentinel, values_, count_, shape_.kv_heads, shape_.value_dim,
                  {value_strides_[0], value_strides_[1], 0});
}

}  // namespace tq_test
