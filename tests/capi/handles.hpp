// Owners of C handles for tests. Their methods expect success and report the library's message where it is not; the
// calls under test themselves stay visible as tq_ functions in the tests that are about failures.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "elements.hpp"
#include "tokens.hpp"
#include "turboquant/turboquant.h"

namespace tq_test {

// An initialised tq_error.
struct Error : tq_error {
  Error() { tq_error_init(this, sizeof(tq_error)); }
};

// EXPECT that a call written with `error` (an Error in scope) succeeds.
#define EXPECT_TQ_OK(expression, error) EXPECT_EQ(expression, TQ_OK) << #expression << ": " << (error).message

tq_codec_options codec_options(std::uint32_t head_dim, tq_format format = TQ_FORMAT_TQ4, std::uint32_t group_size = 64,
                               std::uint32_t layout = TQ_LAYOUT_VECTORS);

class Codec {
 public:
  explicit Codec(const tq_codec_options& options);
  ~Codec() { tq_codec_destroy(codec_); }
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  operator tq_codec*() const { return codec_; }  // NOLINT: handed to tq_ functions everywhere

  Bytes encode(const Elements& vectors, std::size_t count, std::size_t stride = 0) const;
  Bytes encode(const std::vector<float>& vectors) const;
  std::vector<float> decode(const Bytes& codes, std::size_t first, std::size_t count) const;

 private:
  tq_codec* codec_ = nullptr;
  std::size_t head_dim_;
};

tq_layer_options layer_options(const Shape& shape);

class Cache {
 public:
  explicit Cache(const std::vector<tq_layer_options>& layers, std::uint64_t byte_budget = 0);
  explicit Cache(const tq_layer_options& layer) : Cache(std::vector{layer}) {}
  ~Cache() { tq_cache_destroy(cache_); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  operator tq_cache*() const { return cache_; }  // NOLINT: handed to tq_ functions everywhere

  Shape shape(std::uint32_t layer = 0) const;
  tq_sequence sequence() const;
  tq_sequence fork(tq_sequence sequence) const;
  void truncate(tq_sequence sequence, std::size_t length) const;
  void destroy(tq_sequence sequence) const;
  void append(tq_sequence sequence, const Tokens& tokens, tq_dtype dtype = TQ_F32, std::uint32_t layer = 0) const;
  std::size_t length(tq_sequence sequence, std::uint32_t layer = 0) const;
  Tokens read(tq_sequence sequence, std::size_t first, std::size_t count, std::uint32_t layer = 0) const;
  Tokens read(tq_sequence sequence, std::uint32_t layer = 0) const;
  tq_cache_statistics stats() const;

 private:
  tq_cache* cache_ = nullptr;
  std::vector<tq_layer_options> layers_;
};

class Pool {
 public:
  explicit Pool(std::uint32_t threads);
  ~Pool() { tq_pool_destroy(pool_); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  operator tq_pool*() const { return pool_; }  // NOLINT: handed to tq_ functions everywhere

 private:
  tq_pool* pool_ = nullptr;
};

// Bytes of a cache without sequences: the tables that remain once it has held `sequences` of them.
std::uint64_t empty_bytes(const Cache& cache, std::size_t sequences);

// Everything a caller can see of a cache: used to show that a refused call changed nothing.
struct Snapshot {
  tq_cache_statistics stats;
  std::vector<std::vector<Tokens>> rows;  // [sequence][layer]
};

Snapshot snapshot(const Cache& cache, const std::vector<tq_sequence>& sequences, std::uint32_t layers = 1);

// Peak bytes may have risen on the way to an error, and attention is counted; all else must be equal.
testing::AssertionResult same(const Snapshot& before, const Snapshot& after);

// Checks status, and that the message names the argument and (unless empty) the value that was refused.
testing::AssertionResult refused(tq_status status, const tq_error& error, tq_status expected, const std::string& name,
                                 const std::string& value = "");

}  // namespace tq_test
