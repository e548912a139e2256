#include "layer.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "input_check.hpp"
#include "tokens.hpp"

namespace tq {
namespace {

SideCoder make_coder(const Allocator& allocator, const LayerOptions& options, const SideOptions& side) {
  return {allocator, {side.format, side.dim, side.group, options.search}, side.rotation_block, options.seed};
}

std::size_t stored_bytes(const SideCoder& coder, CodeLayout layout) {
  return is_coded(coder.shape().format) ? coder.code_bytes(layout) : kBlockTokens * 2 * coder.shape().dim;
}

Element exact_element(Format format) { return format == Format::kF16 ? Element::kF16 : Element::kBf16; }

PageLayout make_layout(const Layer& layer) {
  const std::size_t heads = layer.options().kv_heads;
  const bool coded = layer.keys_coded() || layer.values_coded();
  const std::size_t key_scales = layer.keys_coded() ? layer.key_coder().scale_bytes() : 0;
  const std::size_t value_scales = layer.values_coded() ? layer.value_coder().scale_bytes() : 0;
  const std::size_t mean = layer.centered() ? round_up(layer.options().keys.dim, 64) : 0;
  const std::size_t keys = stored_bytes(layer.key_coder(), CodeLayout::kKeys);
  const std::size_t values = stored_bytes(layer.value_coder(), CodeLayout::kValues);

  PageLayout layout;
  layout.header_bytes = coded ? round_up(heads * sizeof(HeadHeader), 64) : 0;
  layout.value_scales = key_scales;
  layout.mean = layout.value_scales + value_scales;
  layout.keys = layout.mean + mean;
  layout.values = layout.keys + keys;
  layout.head_bytes = layout.values + values;
  layout.page_bytes = layout.header_bytes + heads * layout.head_bytes;
  layout.code_bytes = heads * (keys + values);
  layout.scale_bytes = heads * (key_scales + value_scales);
  layout.mean_bytes = layer.centered() ? heads * layer.options().keys.dim : 0;
  return layout;
}

// The rows of an exact page of which 64-token blocks of a 16-bit format are made.
void copy_rows(const RowSource& source, std::size_t dim, std::uint8_t* stored, Format format) {
  const RowTarget target{stored, exact_element(format), dim};
  if (source.element != target.element) return kernels().convert_rows(source, kBlockTokens, dim, target);
  for (std::size_t t = 0; t < kBlockTokens; ++t) std::memcpy(stored + t * dim * 2, row_from(source, t).data, dim * 2);
}

// Keys or values of one head of a page.
struct StoredSide {
  const std::uint8_t* rows;  // codes, or 16-bit floats
  CodeLayout layout;
  const std::uint8_t* scales;
  std::int8_t offset;
};

void decode_side(const SideCoder& coder, const StoredSide& stored, std::size_t first, std::size_t count,
                 const float* add, const RowTarget& target, CoderScratch& scratch) {
  const std::size_t dim = coder.shape().dim;
  if (target.data == nullptr) return;
  if (!is_coded(coder.shape().format)) {
    const RowSource source{stored.rows, exact_element(coder.shape().format), dim};
    return kernels().convert_rows(row_from(source, first), count, dim, target);
  }
  const float offset_scale = power_of_two(stored.offset);
  const std::size_t end = first + count;
  for (std::size_t tile = first / kTile * kTile; tile < end; tile += kTile) {
    const std::size_t from = std::max(first, tile), to = std::min(end, tile + kTile);
    coder.decode_tile({stored.rows, stored.layout, stored.scales, &offset_scale, true, tile, from - tile, to - tile},
                      add, row_from(target, from - first), scratch.rows.data());
  }
}

}  // namespace

Layer::Layer(const Allocator& allocator, const LayerOptions& options)
    : options_(options),
      keys_(make_coder(allocator, options, options.keys)),
      values_(make_coder(allocator, options, options.values)),
      layout_(make_layout(*this)) {}

std::uint32_t Layer::largest_dim() const { return std::max(options_.keys.dim, options_.values.dim); }

std::size_t Layer::token_bytes() const {
  return std::size_t{2} * options_.kv_heads * (options_.keys.dim + options_.values.dim);
}

float Layer::encode_head(const TokenSource& source, std::size_t first, const TokenSource& next, std::size_t next_first,
                         std::uint8_t* page, std::size_t head, CoderScratch& scratch) const {
  const RowSource keys = source.key_rows(first, head), values = source.value_rows(first, head);
  const bool more = next_first + kBlockTokens <= next.count;
  const RowSource next_keys = more ? next.key_rows(next_first, head) : kNoRows;
  const RowSource next_values = more ? next.value_rows(next_first, head) : kNoRows;
  const HeadBlock<std::uint8_t> out = this->head(page, head);
  HeadHeader header{0, 0, 0, 0.0f};
  float bound = keys_coded() && values_coded() ? 0.0f : std::numeric_limits<float>::infinity();
  if (keys_coded()) {
    const float* mean = nullptr;
    if (centered()) {
      header.mean_scale = encode_mean(keys_, keys, reinterpret_cast<std::int8_t*>(out.mean), scratch);
      mean = scratch.mean.data();
      bound += 127.0f * header.mean_scale;
    }
    const Encoded coded =
        keys_.encode(keys, kBlockTokens, next_keys, mean, CodeLayout::kKeys, out.keys, out.key_scales, scratch);
    header.key_offset = coded.offset;
    bound += coded.bound;
  } else {
    copy_rows(keys, options_.keys.dim, out.keys, options_.keys.format);
  }
  if (values_coded()) {
    const Encoded coded = values_.encode(values, kBlockTokens, next_values, nullptr, CodeLayout::kValues, out.values,
                                         out.value_scales, scratch);
    header.value_offset = coded.offset;
    bound += coded.bound;
  } else {
    copy_rows(values, options_.values.dim, out.values, options_.values.format);
  }
  if (layout_.header_bytes != 0) std::memcpy(out.header, &header, sizeof header);
  return bound;
}

bool Layer::encode_page(const TokenSource& source, std::size_t first, const TokenSource& next, std::size_t next_first,
                        std::uint8_t* page, CoderScratch& scratch) const {
  std::memset(page, 0, layout_.header_bytes);
  float bound = 0.0f;
  for (std::size_t head = 0; head < options_.kv_heads; ++head)
    bound += encode_head(source, first, next, next_first, page, head, scratch);
  // No value is larger than the largest of its row when it is rotated, since the way back adds up n values and divides by
  // n. The mean that was subtracted is in the bound; the factor leaves room for rounding.
  return bound <= kMaxMagnitude / 16;
}

TokenSource Layer::exact_tokens(const std::uint8_t* page, Element element) const {
  const std::size_t key_dim = options_.keys.dim, value_dim = options_.values.dim;
  const std::size_t head_stride = kBlockTokens * (key_dim + value_dim);
  return {element,
          kBlockTokens,
          exact_keys(page, kBlockTokens, 0),
          exact_values(page, kBlockTokens, 0),
          key_dim,
          head_stride,
          value_dim,
          head_stride};
}

void Layer::mean_key(const std::uint8_t* page, std::size_t head, float* mean) const {
  if (!centered()) return;
  const auto* codes = reinterpret_cast<const std::int8_t*>(this->head(page, head).mean);
  rotated_mean(keys_, codes, header(page, head).mean_scale, mean);
  kernels().unrotate_rows(mean, 1, keys_.rotation(), nullptr);
}

void Layer::decode_keys(const std::uint8_t* page, std::size_t head, std::size_t first, std::size_t count,
                        const float* mean, const RowTarget& target, CoderScratch& scratch) const {
  const HeadBlock<const std::uint8_t> block = this->head(page, head);
  const StoredSide stored{block.keys, CodeLayout::kKeys, block.key_scales, header(page, head).key_offset};
  decode_side(keys_, stored, first, count, centered() ? mean : nullptr, target, scratch);
}

void Layer::decode_values(const std::uint8_t* page, std::size_t head, std::size_t first, std::size_t count,
                          const RowTarget& target, CoderScratch& scratch) const {
  const HeadBlock<const std::uint8_t> block = this->head(page, head);
  const StoredSide stored{block.values, CodeLayout::kValues, block.value_scales, header(page, head).value_offset};
  decode_side(values_, stored, first, count, nullptr, target, scratch);
}

}  // namespace tq
