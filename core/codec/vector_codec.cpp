#include "vector_codec.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "input_check.hpp"

namespace tq {

// A view of 64 vectors in the keys layout: of a stored block, or of records gathered into scratch memory.
struct VectorCodec::Block {
  Block(const Allocator& allocator, const VectorCodec& codec, bool gathers)
      : memory(allocator, gathers ? codec.coder_.code_bytes(CodeLayout::kKeys) + codec.coder_.scale_bytes() : 0) {}

  Buffer<std::uint8_t> memory;
  // Handed on as it is: whoever copies what has just been written waits until it has reached the cache.
  CodedSide keys{};
  std::int8_t offsets[kBlockTokens] = {};
};

VectorCodec::VectorCodec(const Allocator& allocator, const VectorCodecOptions& options)
    : allocator_(allocator),
      options_(options),
      coder_(allocator, {options.format, options.dim, options.group, options.search}, options.rotation_block,
             options.seed) {}

std::size_t VectorCodec::vector_bytes() const {
  if (!coded()) return 2 * std::size_t{options_.dim};
  if (options_.layout == VectorLayout::kRecords) return coder_.key_cells() * 4 + coder_.shape().groups() + 1;
  return (block_bytes() + kBlockTokens - 1) / kBlockTokens;
}

std::size_t VectorCodec::encoded_bytes(std::size_t count) const {
  const bool blocks = options_.layout == VectorLayout::kBlocks;
  const std::size_t unit = !blocks ? vector_bytes() : coded() ? block_bytes() : kBlockTokens * vector_bytes();
  const std::size_t units = blocks ? count / kBlockTokens + (count % kBlockTokens != 0) : count;
  if (units > SIZE_MAX / unit) invalid("count: %zu vectors of %zu bytes do not fit memory", count, vector_bytes());
  return units * unit;
}

void VectorCodec::encode(const RowSource& source, std::size_t count, std::uint8_t* codes) const {
  const float limit = largest_value(options_.format == Format::kF16);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bad = find_invalid_in_row(source, i, options_.dim, limit);
    if (bad < options_.dim) refuse_value("vectors", i, bad, value_at(source, i, bad), limit);
  }
  if (!coded()) {
    const Element element = options_.format == Format::kF16 ? Element::kF16 : Element::kBf16;
    kernels().convert_rows(source, count, options_.dim, {codes, element, options_.dim});
    std::memset(codes + count * vector_bytes(), 0, encoded_bytes(count) - count * vector_bytes());
    return;
  }
  CoderScratch scratch(allocator_, options_.dim);
  if (options_.layout == VectorLayout::kRecords) return encode_records(source, count, codes, scratch);
  encode_blocks(source, count, codes, scratch);
}

void VectorCodec::encode_records(const RowSource& source, std::size_t count, std::uint8_t* codes,
                                 CoderScratch& scratch) const {
  const std::size_t groups = coder_.shape().groups(), cells = coder_.key_cells();
  Buffer<std::uint8_t> packed(allocator_, coder_.code_bytes(CodeLayout::kKeys));
  Buffer<std::uint8_t> scales(allocator_, kTile * groups);
  for (std::size_t first = 0; first < count; first += kTile) {
    const std::size_t rows = std::min(count - first, kTile);
    std::int8_t offsets[kTile];
    coder_.encode_rows(row_from(source, first), rows, offsets, scales.data(), scratch);
    kernels().pack_keys(coder_.shape(), scratch.granules.data(), 0, packed.data());
    for (std::size_t row = 0; row < rows; ++row) {
      std::uint8_t* record = codes + (first + row) * vector_bytes();
      for (std::size_t cell = 0; cell < cells; ++cell)
        std::memcpy(record + 4 * cell, packed.data() + cell * 256 + 4 * row, 4);
      std::memcpy(record + 4 * cells, scales.data() + row * groups, groups);
      std::memcpy(record + 4 * cells + groups, offsets + row, 1);
    }
  }
}

void VectorCodec::encode_blocks(const RowSource& source, std::size_t count, std::uint8_t* codes,
                                CoderScratch& scratch) const {
  for (std::size_t first = 0; first < count; first += kBlockTokens) {
    std::uint8_t* block = codes + first / kBlockTokens * block_bytes();
    std::uint8_t* scales = block + 64;
    std::memset(block, 0, 64);
    const std::int8_t offset = coder_
                                   .encode(row_from(source, first), std::min(count - first, kBlockTokens), kNoRows,
                                           nullptr, CodeLayout::kKeys, scales + coder_.scale_bytes(), scales, scratch)
                                   .offset;
    std::memcpy(block, &offset, 1);
  }
}

void VectorCodec::gather(const std::uint8_t* codes, std::size_t first, std::size_t count, Block& block) const {
  if (options_.layout == VectorLayout::kBlocks) {
    const std::uint8_t* stored = codes + first / kBlockTokens * block_bytes();
    std::memset(block.offsets, *stored, sizeof block.offsets);
    block.keys.offset_scale = power_of_two(block.offsets[0]);
    block.keys.scales = stored + 64;
    // Kernels fetch the codes that follow, but not what comes before them.
    for (std::size_t at = 0; at < 64 + coder_.scale_bytes(); at += 64) __builtin_prefetch(stored + block_bytes() + at);
    block.keys.codes = block.keys.scales + coder_.scale_bytes();
    block.keys.next = block.keys.codes + block_bytes();
    block.keys.later = block.keys.next + block_bytes();
    return;
  }
  const std::size_t groups = coder_.shape().groups(), cells = coder_.key_cells();
  std::uint8_t* scales = block.memory.data() + coder_.code_bytes(CodeLayout::kKeys);
  std::memset(block.memory.data(), 0, block.memory.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* record = codes + (first + i) * vector_bytes();
    for (std::size_t cell = 0; cell < cells; ++cell)
      std::memcpy(block.memory.data() + cell * 256 + 4 * i, record + 4 * cell, 4);
    for (std::size_t group = 0; group < groups; ++group) scales[group * kBlockTokens + i] = record[4 * cells + group];
    std::memcpy(block.offsets + i, record + 4 * cells + groups, 1);
  }
  block.keys.codes = block.keys.next = block.keys.later = block.memory.data();
  block.keys.scales = scales;
  block.keys.offset_scale = 1.0f;
}

void VectorCodec::decode(const std::uint8_t* codes, std::size_t first, std::size_t count,
                         const RowTarget& target) const {
  if (!coded()) {
    const Element element = options_.format == Format::kF16 ? Element::kF16 : Element::kBf16;
    return kernels().convert_rows(row_from(RowSource{codes, element, options_.dim}, first), count, options_.dim,
                                  target);
  }
  Buffer<float> scratch(allocator_, kTile * coder_.padded());
  Block block(allocator_, *this, options_.layout == VectorLayout::kRecords);
  const std::size_t end = first + count;
  for (std::size_t base = first / kBlockTokens * kBlockTokens; base < end; base += kBlockTokens) {
    gather(codes, base, std::min(end - base, kBlockTokens), block);
    for (std::size_t tile = 0; tile < kBlockTokens; tile += kTile) {
      const std::size_t from = std::max(first, base + tile), to = std::min(end, base + tile + kTile);
      if (from >= to) continue;
      const bool one_offset = options_.layout == VectorLayout::kBlocks;
      float offset_scales[kTile];
      for (std::size_t i = 0; i < (one_offset ? 1 : kTile); ++i)
        offset_scales[i] = power_of_two(block.offsets[tile + i]);
      coder_.decode_tile({block.keys.codes, CodeLayout::kKeys, block.keys.scales, offset_scales, one_offset, tile,
                          from - base - tile, to - base - tile},
                         nullptr, row_from(target, from - first), scratch.data());
    }
  }
}

void VectorCodec::scores(const std::uint8_t* codes, std::size_t count, const float* queries, std::size_t n_query,
                         float* scores) const {
  if (coded()) return coded_scores(codes, count, queries, n_query, scores);
  const std::size_t dim = options_.dim;
  const Element element = options_.format == Format::kF16 ? Element::kF16 : Element::kBf16;
  Buffer<float> query(allocator_, padded_dim(dim));
  float found[kBlockTokens];
  for (std::size_t q = 0; q < n_query; ++q) {
    kernels().load_rows({queries + q * dim, Element::kF32, dim}, 1, dim, query.data());
    for (std::size_t first = 0; first < count; first += kBlockTokens) {
      const std::size_t rows = std::min(count - first, kBlockTokens);
      kernels().row_scores(row_from(RowSource{codes, element, dim}, first), rows, dim, query.data(), 1, found);
      std::memcpy(scores + q * count + first, found, rows * sizeof(float));
    }
  }
}

void VectorCodec::coded_scores(const std::uint8_t* codes, std::size_t count, const float* queries, std::size_t n_query,
                               float* scores) const {
  const CodeShape& shape = coder_.shape();
  const std::size_t padded = coder_.padded(), digits = padded / 2, groups = shape.groups();
  Buffer<float> rotated(allocator_, padded);
  Buffer<std::int32_t> integers(allocator_, n_query * (digits + groups));
  Buffer<CodedQuery> prepared(allocator_, n_query);
  for (std::size_t q = 0; q < n_query; ++q) {
    kernels().rotate_rows({queries + q * shape.dim, Element::kF32, shape.dim}, 1, coder_.rotation(), nullptr,
                          rotated.data());
    std::int32_t* own = integers.data() + q * (digits + groups);
    const float scale = 1.0f / static_cast<float>(coder_.rotation().block);
    prepared[q] = {own, own + digits, kernels().quantize_query(shape, rotated.data(), scale, own, own + digits)};
  }
  Block block(allocator_, *this, options_.layout == VectorLayout::kRecords);
  for (std::size_t first = 0; first < count; first += kBlockTokens) {
    const std::size_t vectors = std::min(count - first, kBlockTokens);
    gather(codes, first, vectors, block);
    for (std::size_t q = 0; q < n_query; q += kMaxRows)
      block_scores(block, vectors, prepared.data() + q, std::min(n_query - q, kMaxRows), scores + q * count + first,
                   count);
  }
}

// Scores of the first `vectors` of a block, rows `stride` floats apart.
void VectorCodec::block_scores(const Block& block, std::size_t vectors, const CodedQuery* queries, std::size_t rows,
                               float* scores, std::size_t stride) const {
  const bool records = options_.layout == VectorLayout::kRecords;
  if (!records && vectors == kBlockTokens)
    return kernels().coded_scores(coder_.shape(), block.keys, queries, rows, scores, stride);
  alignas(64) float found[kMaxRows * kBlockTokens];
  kernels().coded_scores(coder_.shape(), block.keys, queries, rows, found, kBlockTokens);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < vectors; ++i)
      scores[r * stride + i] = found[r * kBlockTokens + i] * (records ? power_of_two(block.offsets[i]) : 1.0f);
}

}  // namespace tq
