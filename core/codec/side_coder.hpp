// Codes one side (keys or values) of one head: 64 rows at a time into the layout of a block, and back.
#pragma once

#include <bit>
#include <cstdint>

#include "rotation_plan.hpp"

namespace tq {

// 2^exponent, for the exponents that blocks and records hold, -128..127.
inline float power_of_two(int exponent) {
  if (exponent < -126) return std::bit_cast<float>(std::uint32_t{1} << (exponent + 149));
  return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
}

// Scratch memory of encoding and decoding, sized for one shape; one user at a time.
struct CoderScratch {
  CoderScratch(const Allocator& allocator, std::uint32_t dim);

  Buffer<float> rows;              // kTile rows, twice
  Buffer<std::uint32_t> granules;  // of kBlockTokens tokens, tile after tile
  Buffer<std::int32_t> indices;    // [tile][group][kTile]
  Buffer<float> mean;              // of a block, rotated
};

// What encoding a block found.
struct Encoded {
  std::int8_t offset;  // of its scales
  float bound;         // of the magnitudes that were coded; not finite if a row is not
};

class SideCoder {
 public:
  SideCoder() = default;
  SideCoder(const Allocator& allocator, const CodeShape& shape, std::uint32_t rotation_block, std::uint64_t seed)
      : shape_(shape), plan_(allocator, shape.dim, rotation_block, seed) {}

  const CodeShape& shape() const { return shape_; }
  Rotation rotation() const { return plan_.view(); }
  std::size_t padded() const { return padded_dim(shape_.dim); }
  std::size_t scale_bytes() const { return shape_.groups() * kBlockTokens; }
  std::size_t code_bytes(CodeLayout layout) const;  // of a block
  std::size_t key_cells() const;                    // dwords of codes per token in the keys layout

  // Encodes `count` <= 64 rows; missing ones become zero codes. `next`: rows that will be read later; only a hint.
  Encoded encode(const RowSource& source, std::size_t count, const RowSource& next, const float* subtract,
                 CodeLayout layout, std::uint8_t* codes, std::uint8_t* scales, CoderScratch& scratch) const;

  // Decodes the tokens of `tile` into rows of `target`. `add` (unrotated, padded) is added to each; NULL adds nothing.
  // `scratch`: kTile padded rows.
  void decode_tile(const CodedTile& tile, const float* add, const RowTarget& target, float* scratch) const;

  // Codes of up to kTile rows, left in the first tile of scratch.granules, with each row's own offset and its scale
  // bytes, [token][group].
  void encode_rows(const RowSource& source, std::size_t count, std::int8_t* offsets, std::uint8_t* scales,
                   CoderScratch& scratch) const;

 private:
  float encode_tile(const RowSource& source, std::size_t count, const RowSource& next, const float* subtract,
                    std::size_t tile, CoderScratch& scratch) const;
  void clear_codes(std::size_t tile, std::size_t group, std::size_t token, CoderScratch& scratch) const;
  std::uint8_t scale_byte(std::int32_t index, std::int32_t offset, std::size_t tile, std::size_t group,
                          std::size_t token, CoderScratch& scratch) const;

  CodeShape shape_{};
  RotationPlan plan_;
};

// The mean of 64 keys in the rotated domain, as stored: codes and scale (docs/format.md section 4).
struct MeanCode {
  std::int8_t* codes;  // round_up(dim, 64), zero padded
  float scale;
};

// Computes and stores the mean of 64 rows; scratch.mean becomes the mean that the codes stand for.
float encode_mean(const SideCoder& coder, const RowSource& source, std::int8_t* codes, CoderScratch& scratch);
// The stored mean in the rotated domain, padded.
void rotated_mean(const SideCoder& coder, const std::int8_t* codes, float scale, float* mean);

}  // namespace tq
