// The standalone codec behind tq_codec: vectors to records or to blocks, and back (docs/format.md section 6).
#pragma once

#include "side_coder.hpp"

namespace tq {

enum class VectorLayout : std::uint32_t { kRecords = 0, kBlocks = 1 };

struct VectorCodecOptions {
  std::uint32_t dim = 0;
  Format format = Format::kTq4;
  std::uint32_t group = 64;
  std::uint32_t rotation_block = 0;
  std::uint32_t search = 1;
  VectorLayout layout = VectorLayout::kRecords;
  std::uint64_t seed = kDefaultSeed;
};

class VectorCodec {
 public:
  VectorCodec(const Allocator& allocator, const VectorCodecOptions& options);

  const Allocator& allocator() const { return allocator_; }
  std::uint32_t dim() const { return options_.dim; }
  Rotation rotation() const { return coder_.rotation(); }
  std::size_t vector_bytes() const;
  // Throws kInvalidArgument if the number does not fit size_t.
  std::size_t encoded_bytes(std::size_t count) const;

  void encode(const RowSource& source, std::size_t count, std::uint8_t* codes) const;
  void decode(const std::uint8_t* codes, std::size_t first, std::size_t count, const RowTarget& target) const;
  void scores(const std::uint8_t* codes, std::size_t count, const float* queries, std::size_t n_query,
              float* scores) const;

 private:
  struct Block;  // one block of codes in the keys layout, and where its parts are

  bool coded() const { return is_coded(options_.format); }
  std::size_t block_bytes() const { return 64 + coder_.scale_bytes() + coder_.code_bytes(CodeLayout::kKeys); }
  void encode_records(const RowSource& source, std::size_t count, std::uint8_t* codes, CoderScratch& scratch) const;
  void encode_blocks(const RowSource& source, std::size_t count, std::uint8_t* codes, CoderScratch& scratch) const;
  void gather(const std::uint8_t* codes, std::size_t first, std::size_t count, Block& block) const;
  void coded_scores(const std::uint8_t* codes, std::size_t count, const float* queries, std::size_t n_query,
                    float* scores) const;
  void block_scores(const Block& block, std::size_t vectors, const CodedQuery* queries, std::size_t rows, float* scores,
                    std::size_t stride) const;

  Allocator allocator_;
  VectorCodecOptions options_;
  SideCoder coder_;
};

}  // namespace tq
