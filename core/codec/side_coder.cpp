#include "side_coder.hpp"

#include <algorithm>
#include <cstring>

#include "input_check.hpp"

namespace tq {
namespace {

std::int32_t offset_for(std::int32_t largest_index) {
  if (largest_index == kZeroIndex) return 0;
  return std::clamp((largest_index >> 4) - 15, -128, 127);
}

void fetch_for_writing(const std::uint8_t* data, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += 64) __builtin_prefetch(data + at, 1, 3);
}

std::size_t most_groups(std::uint32_t dim) { return (dim + 31) / 32; }

}  // namespace

CoderScratch::CoderScratch(const Allocator& allocator, std::uint32_t dim)
    : rows(allocator, 2 * kTile * padded_dim(dim)),
      granules(allocator, kBlockTokens * padded_dim(dim) / 4),
      indices(allocator, kBlockTokens * most_groups(dim)),
      mean(allocator, 2 * padded_dim(dim)) {}

std::size_t SideCoder::key_cells() const {
  return shape_.format == Format::kTq4 ? (shape_.dim + 7) / 8 : (shape_.dim + 3) / 4;
}

std::size_t SideCoder::code_bytes(CodeLayout layout) const {
  if (layout == CodeLayout::kKeys) return key_cells() * 4 * kBlockTokens;
  const std::size_t width = shape_.format == Format::kTq4 ? 32 : 16;
  const std::size_t rest = shape_.dim % width;
  const std::size_t lanes = round_up(width == 32 ? (rest + 1) / 2 : rest, 4);
  return (shape_.dim / width * 16 + lanes) * kBlockTokens;
}

float SideCoder::encode_tile(const RowSource& source, std::size_t count, const RowSource& next, const float* subtract,
                             std::size_t tile, CoderScratch& scratch) const {
  return kernels().encode_tile(shape_, plan_.view(), source, count, next, subtract, scratch.rows.data(),
                               scratch.granules.data() + tile * kTile * padded() / 4,
                               scratch.indices.data() + tile * kTile * shape_.groups());
}

void SideCoder::clear_codes(std::size_t tile, std::size_t group, std::size_t token, CoderScratch& scratch) const {
  std::uint32_t* granules = scratch.granules.data() + tile * kTile * padded() / 4;
  const std::size_t end = std::min<std::size_t>((group + 1) * shape_.group, round_up(shape_.dim, 4));
  const std::uint32_t zero = shape_.format == Format::kTq4 ? 0 : 0x80808080u;
  for (std::size_t j = group * shape_.group; j < end; j += 4) granules[j / 4 * kTile + token] = zero;
}

std::uint8_t SideCoder::scale_byte(std::int32_t index, std::int32_t offset, std::size_t tile, std::size_t group,
                                   std::size_t token, CoderScratch& scratch) const {
  if (index == kZeroIndex) return 0;
  const std::int32_t byte = index - 16 * offset;
  if (byte >= 1) return static_cast<std::uint8_t>(byte);
  clear_codes(tile, group, token, scratch);  // too small to be told from zero beside the largest group
  return 0;
}

Encoded SideCoder::encode(const RowSource& source, std::size_t count, const RowSource& next, const float* subtract,
                          CodeLayout layout, std::uint8_t* codes, std::uint8_t* scales, CoderScratch& scratch) const {
  const std::size_t groups = shape_.groups();
  float bound = 0.0f;
  const std::size_t part = code_bytes(layout) / (kBlockTokens / kTile);
  for (std::size_t tile = 0; tile < kBlockTokens / kTile; ++tile) {
    const std::size_t first = tile * kTile;
    fetch_for_writing(codes + tile * part, part);
    bound += encode_tile(row_from(source, first), count > first ? std::min(count - first, kTile) : 0,
                         next_from(next, first), subtract, tile, scratch);
  }
  const std::int32_t* indices = scratch.indices.data();
  const std::int32_t offset = offset_for(kernels().largest_index(indices, groups * kBlockTokens));
  for (std::size_t tile = 0; tile < kBlockTokens / kTile; ++tile) {
    for (std::size_t group = 0; group < groups; ++group) {
      const std::int32_t* own = indices + (tile * groups + group) * kTile;
      if (!kernels().scale_bytes(own, offset, scales + group * kBlockTokens + tile * kTile)) continue;
      for (std::size_t token = 0; token < kTile; ++token) scale_byte(own[token], offset, tile, group, token, scratch);
    }
    const auto pack = layout == CodeLayout::kKeys ? kernels().pack_keys : kernels().pack_values;
    pack(shape_, scratch.granules.data() + tile * kTile * padded() / 4, tile * kTile, codes);
  }
  return {static_cast<std::int8_t>(offset), bound};
}

void SideCoder::encode_rows(const RowSource& source, std::size_t count, std::int8_t* offsets, std::uint8_t* scales,
                            CoderScratch& scratch) const {
  encode_tile(source, count, kNoRows, nullptr, 0, scratch);
  const std::size_t groups = shape_.groups();
  for (std::size_t token = 0; token < kTile; ++token) {
    std::int32_t largest = kZeroIndex;
    for (std::size_t group = 0; group < groups; ++group)
      largest = std::max(largest, scratch.indices[group * kTile + token]);
    const std::int32_t offset = offset_for(largest);
    offsets[token] = static_cast<std::int8_t>(offset);
    for (std::size_t group = 0; group < groups; ++group)
      scales[token * groups + group] =
          scale_byte(scratch.indices[group * kTile + token], offset, 0, group, token, scratch);
  }
}

void SideCoder::decode_tile(const CodedTile& tile, const float* add, const RowTarget& target, float* scratch) const {
  kernels().decode_tile(shape_, plan_.view(), tile, add, target, scratch);
}

float encode_mean(const SideCoder& coder, const RowSource& source, std::int8_t* codes, CoderScratch& scratch) {
  const std::size_t dim = coder.shape().dim, padded = coder.padded();
  float* sum = scratch.mean.data() + padded;
  float* mean = scratch.mean.data();
  std::fill(sum, sum + padded, 0.0f);
  // The sum starts from the first row, not from zero plus it: the same, but for the sign of a zero.
  kernels().sum_rows(source, kBlockTokens, dim, sum);
  kernels().scale_floats(sum, dim, 1.0f / kBlockTokens);
  kernels().rotate_rows({sum, Element::kF32, dim}, 1, coder.rotation(), nullptr, mean);

  std::memset(codes, 0, round_up(dim, 64));
  const float scale = kernels().encode_mean(mean, padded, codes);
  rotated_mean(coder, codes, scale, mean);
  return scale;
}

void rotated_mean(const SideCoder& coder, const std::int8_t* codes, float scale, float* mean) {
  kernels().signed_floats(codes, scale, coder.padded(), mean);
}

}  // namespace tq
