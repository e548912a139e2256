// One layer of a sequence as plain vectors of tokens rounded to 16 bit: what a cache must give back, exactly where it
// keeps 16 bit and within the error of the format where it codes.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include "handles.hpp"
#include "reference.hpp"
#include "tokens.hpp"
#include "turboquant/turboquant.h"

namespace tq_test {

class SequenceModel {
 public:
  explicit SequenceModel(const tq_layer_options& options);

  void append(const Tokens& tokens, tq_dtype dtype);

  // Cuts to `length`. Where that opens a coded block, its remaining rows become what the cache had decoded for them,
  // rounded to 16 bit; `decoded` is what tq_cache_read gave before the cut.
  void truncate(std::size_t length, const Tokens& decoded);

  std::size_t length() const { return rows_.count(); }
  std::size_t coded_begin() const { return options_.sink_tokens; }
  std::size_t coded_end() const { return options_.sink_tokens + coded_blocks_ * TQ_BLOCK_TOKENS; }
  const Tokens& rows() const { return rows_; }
  const tq_layer_options& options() const { return options_; }

  // Whether layer `layer` of a sequence holds these tokens.
  testing::AssertionResult matches(const Cache& cache, tq_sequence sequence, std::uint32_t layer = 0) const;

  // What tq_attend sees: the rows as read from the cache, and which of them are coded.
  reference::Context context(const Cache& cache, tq_sequence sequence, std::uint32_t layer = 0) const;

 private:
  struct Side;
  testing::AssertionResult exact_tokens_match(const Side& side) const;
  testing::AssertionResult block_matches(const Side& side, std::size_t block, std::size_t head) const;
  testing::AssertionResult side_matches(const Side& side) const;

  tq_layer_options options_;
  tq_dtype exact_dtype_;
  Tokens rows_;
  std::size_t coded_blocks_ = 0;
};

}  // namespace tq_test
