// What the cache refuses, that the message names the argument and the value, and that nothing has changed.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "handles.hpp"

namespace tq_test {
namespace {

constexpr std::size_t kHuge = SIZE_MAX / 2;

struct BadLayer {
  const char* name;
  const char* value;
  tq_status status;
  std::function<void(tq_layer_options&)> spoil;
};

const std::vector<BadLayer> kBadLayers = {
    {"kv_heads", "0", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.kv_heads = 0; }},
    {"kv_heads", "65537", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.kv_heads = 65537; }},
    {"key_dim", "0", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.key_dim = 0; }},
    {"key_dim", "1025", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.key_dim = 1025; }},
    {"value_dim", "1025", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.value_dim = 1025; }},
    {"key_format", "0", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.key_format = 0; }},
    {"key_format", "5", TQ_ERR_UNSUPPORTED, [](auto& l) { l.key_format = 5; }},
    {"key_format", "99", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.key_format = 99; }},
    {"value_format", "6", TQ_ERR_UNSUPPORTED, [](auto& l) { l.value_format = 6; }},
    {"value_format", "99", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.value_format = 99; }},
    {"key_group_size", "16", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.key_group_size = 16; }},
    {"value_group_size", "0", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.value_group_size = 0; }},
    {"key_rotation_block", "3", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.key_rotation_block = 3; }},
    {"value_rotation_block", "32", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.value_rotation_block = 32; }},
    {"center_keys", "2", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.center_keys = 2; }},
    {"scale_search", "9", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.scale_search = 9; }},
    {"sink_tokens", "65", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.sink_tokens = 65; }},
    {"recent_blocks", "1025", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.recent_blocks = 1025; }},
    {"exact_dtype", "1", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.exact_dtype = TQ_F32; }},
    {"exact_dtype", "4", TQ_ERR_INVALID_ARGUMENT, [](auto& l) { l.exact_dtype = 4; }},
};

TEST(BadLayerOptions, AreRefusedByName) {
  for (const BadLayer& bad : kBadLayers)
    for (const std::size_t at : {0, 1}) {
      SCOPED_TRACE(testing::Message() << "layer " << at << ": " << bad.name << " = " << bad.value);
      std::vector<tq_layer_options> layers(2, layer_options({2, 64, 80}));
      bad.spoil(layers[at]);
      tq_cache_options options;
      tq_cache_options_init(&options, sizeof options);
      options.layer_count = 2;
      options.layers = layers.data();
      auto* const untouched = reinterpret_cast<tq_cache*>(&options);
      tq_cache* cache = untouched;
      Error error;
      EXPECT_TRUE(refused(tq_cache_create(&options, &cache, &error), error, bad.status, bad.name, bad.value));
      EXPECT_EQ(tq_cache_create(&options, &cache, nullptr), bad.status);
      EXPECT_EQ(cache, untouched) << "out was written";
    }
}

TEST(BadCacheOptions, AreRefusedByName) {
  const tq_layer_options layer = layer_options({2, 64, 64});
  tq_cache_options good;
  tq_cache_options_init(&good, sizeof good);
  good.layer_count = 1;
  good.layers = &layer;
  tq_cache* cache = nullptr;
  Error error;
  const auto try_with = [&](auto spoil) {
    tq_cache_options options = good;
    spoil(options);
    return tq_cache_create(&options, &cache, &error);
  };
  EXPECT_TRUE(
      refused(try_with([](auto& o) { o.layer_count = 0; }), error, TQ_ERR_INVALID_ARGUMENT, "layer_count", "0"));
  EXPECT_TRUE(refused(try_with([](auto& o) { o.layer_count = 65537; }), error, TQ_ERR_INVALID_ARGUMENT, "layer_count",
                      "65537"));
  EXPECT_TRUE(refused(try_with([](auto& o) { o.layers = nullptr; }), error, TQ_ERR_INVALID_ARGUMENT, "layers", "NULL"));
  EXPECT_TRUE(refused(try_with([](auto& o) {
                        o.layer_count = 3;
                        o.layers_given = 2;
                      }),
                      error, TQ_ERR_INVALID_ARGUMENT, "layers_given", "2"));
  EXPECT_TRUE(refused(try_with([](auto& o) { o.reserved = 1; }), error, TQ_ERR_INVALID_ARGUMENT, "reserved", "1"));
  EXPECT_TRUE(refused(tq_cache_create(nullptr, &cache, &error), error, TQ_ERR_INVALID_ARGUMENT, "options", "NULL"));
  EXPECT_TRUE(refused(tq_cache_create(&good, nullptr, &error), error, TQ_ERR_INVALID_ARGUMENT, "out", "NULL"));
  EXPECT_EQ(cache, nullptr);
  tq_cache_destroy(nullptr);
}

// A cache with one sequence of 150 tokens in two layers; every test ends with the proof that it is as it was.
class BadCacheCall : public testing::Test {
 protected:
  BadCacheCall() : cache_({layer_options(shape()), layer_options(shape())}), sequence_(cache_.sequence()) {
    for (std::uint32_t layer = 0; layer < 2; ++layer)
      cache_.append(sequence_, random_tokens(random_, shape(), 150), TQ_F32, layer);
    before_ = snapshot(cache_, {sequence_}, 2);
  }
  ~BadCacheCall() override { EXPECT_TRUE(same(before_, snapshot(cache_, {sequence_}, 2))); }

  static Shape shape() { return {2, 64, 32}; }
  testing::AssertionResult bad(tq_status status, const std::string& name, const std::string& value = "") {
    return refused(status, error_, TQ_ERR_INVALID_ARGUMENT, name, value);
  }
  tq_status append(const tq_kv& kv, std::uint32_t layer = 0) {
    EXPECT_NE(tq_cache_append(cache_, sequence_, layer, &kv, nullptr), TQ_OK);
    return tq_cache_append(cache_, sequence_, layer, &kv, &error_);
  }
  // Appends three good tokens after `spoil` has changed the tq_kv.
  tq_status append_with(const std::function<void(tq_kv&)>& spoil) {
    KvInput input(random_tokens(random_, shape(), 3), TQ_F32);
    spoil(input.kv());
    return append(*input.get());
  }
  tq_status read_with(std::size_t first, std::size_t count, const std::function<void(tq_kv_out&)>& spoil) {
    KvOutput output(shape(), 200, TQ_F32);
    spoil(output.kv());
    const tq_status status = tq_cache_read(cache_, sequence_, 0, first, count, output.get(), &error_);
    EXPECT_EQ(output.tokens().keys, std::vector<float>(200 * 128, -77.0f)) << "keys were written";
    EXPECT_EQ(output.tokens().values, std::vector<float>(200 * 64, -77.0f)) << "values were written";
    return status;
  }

  Random random_{1};
  Cache cache_;
  tq_sequence sequence_;
  Snapshot before_;
  Error error_;
};

TEST_F(BadCacheCall, ValuesThatCannotBeCachedAreRefusedWithTheirIndex) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), 65505.0f, 0x1.1p60f, -3e38f})
    for (const tq_dtype dtype : {TQ_F32, TQ_BF16, TQ_F16})
      for (const bool in_keys : {true, false})
        for (const std::size_t token : {0, 1, 99}) {
          SCOPED_TRACE(testing::Message() << value << " in " << (in_keys ? "keys" : "values") << " of token " << token
                                          << ", " << dtype_name(dtype));
          if (dtype == TQ_BF16 && value == 65505.0f) continue;  // 65536 after rounding, tested below
          const std::size_t dim = in_keys ? 64 : 32, head = token % 2, coordinate = dim - 1 - token % 30;
          KvInput input(random_tokens(random_, shape(), 100), dtype);
          (in_keys ? input.keys() : input.values()).set((token * 2 + head) * dim + coordinate, value);
          if (dtype == TQ_F16 && value == 65505.0f) continue;  // 65504 after rounding
          EXPECT_TRUE(bad(append(*input.get()), in_keys ? "keys" : "values", "token " + std::to_string(token)));
          EXPECT_TRUE(
              bad(append(*input.get()), "head " + std::to_string(head), "coordinate " + std::to_string(coordinate)));
        }
}

// 16-bit tokens that fill whole blocks are coded before they are known to be valid.
TEST_F(BadCacheCall, WholeBlocksAreCheckedToo) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const tq_dtype dtype : {TQ_F16, TQ_BF16})
    for (const std::uint32_t rotation_block : {0u, 1u, 16u}) {
      tq_layer_options options = layer_options(shape());
      options.key_rotation_block = options.value_rotation_block = rotation_block;
      Cache cache({options});
      const tq_sequence sequence = cache.sequence();
      cache.append(sequence, random_tokens(random_, shape(), 150), dtype);
      const Snapshot before = snapshot(cache, {sequence}, 1);
      for (const float value : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, 0x1.1p60f, -3e38f})
        for (const bool in_keys : {true, false})
          for (const std::size_t token : {46, 77, 109, 110, 173}) {  // blocks 46 .. 109 and 110 .. 173
            if (dtype == TQ_F16 && std::isfinite(value)) continue;   // rounds to infinity
            SCOPED_TRACE(testing::Message() << value << " in " << (in_keys ? "keys" : "values") << " of token " << token
                                            << ", " << dtype_name(dtype) << ", rotation " << rotation_block);
            const std::size_t dim = in_keys ? 64 : 32, head = token % 2, coordinate = token % dim;
            KvInput input(random_tokens(random_, shape(), 200), dtype);
            (in_keys ? input.keys() : input.values()).set((token * 2 + head) * dim + coordinate, value);
            EXPECT_TRUE(bad(tq_cache_append(cache, sequence, 0, input.get(), &error_), in_keys ? "keys" : "values",
                            "token " + std::to_string(token) + ", head " + std::to_string(head) + ", coordinate " +
                                std::to_string(coordinate)));
            EXPECT_TRUE(same(before, snapshot(cache, {sequence}, 1)));
          }
      KvInput large(random_tokens(random_, shape(), 200), dtype);
      large.keys().set(100 * 128, dtype == TQ_F16 ? 65504.0f : 0x1.fp59f);
      large.values().set(120 * 64, dtype == TQ_F16 ? -65504.0f : -0x1.fp59f);
      EXPECT_EQ(tq_cache_append(cache, sequence, 0, large.get(), &error_), TQ_OK)
          << "the largest values that there are";
    }
}

TEST_F(BadCacheCall, ArgumentsOfAppendAreRefusedByNameAndValue) {
  EXPECT_TRUE(bad(append_with([](auto& kv) { kv.dtype = TQ_DTYPE_AUTO; }), "dtype", "0"));
  EXPECT_TRUE(bad(append_with([](auto& kv) { kv.dtype = 4; }), "dtype", "4"));
  EXPECT_TRUE(bad(append_with([](auto& kv) { kv.keys = nullptr; }), "keys", "NULL"));
  EXPECT_TRUE(bad(append_with([](auto& kv) { kv.values = nullptr; }), "values", "NULL"));
  EXPECT_TRUE(bad(append_with([](auto& kv) { kv.count = kHuge; }), "key", std::to_string(kHuge)));
  EXPECT_TRUE(bad(append_with([](auto& kv) { kv.count = SIZE_MAX; }), "key", std::to_string(SIZE_MAX)));
  const auto strides = [](std::size_t kt, std::size_t kh, std::size_t vt, std::size_t vh) {
    return [=](tq_kv& kv) {
      kv.key_token_stride = kt;
      kv.key_head_stride = kh;
      kv.value_token_stride = vt;
      kv.value_head_stride = vh;
    };
  };
  EXPECT_TRUE(bad(append_with(strides(128, 0, 64, 32)), "key", "128"));
  EXPECT_TRUE(bad(append_with(strides(0, 64, 64, 32)), "key", "64"));
  EXPECT_TRUE(bad(append_with(strides(128, 63, 64, 32)), "key", "63"));
  EXPECT_TRUE(bad(append_with(strides(63, 64, 64, 32)), "key", "63"));
  EXPECT_TRUE(bad(append_with(strides(128, 64, 64, 0)), "value", "64"));
  EXPECT_TRUE(bad(append_with(strides(128, 64, 0, 32)), "value", "32"));
  EXPECT_TRUE(bad(append_with(strides(128, 64, 64, 31)), "value", "31"));
  EXPECT_TRUE(bad(append_with(strides(kHuge, 64, 64, 32)), "key", std::to_string(kHuge)));
  EXPECT_TRUE(bad(append_with(strides(128, 64, 64, kHuge)), "value", std::to_string(kHuge)));
}

TEST_F(BadCacheCall, ArgumentsOfReadAreRefusedByNameAndValue) {
  const auto nothing = [](tq_kv_out&) {};
  EXPECT_TRUE(bad(read_with(0, 151, nothing), "count", "151"));
  EXPECT_TRUE(bad(read_with(151, 0, nothing), "first", "151"));
  EXPECT_TRUE(bad(read_with(150, 1, nothing), "first", "150"));
  EXPECT_TRUE(bad(read_with(SIZE_MAX, 2, nothing), "first", std::to_string(SIZE_MAX)));
  EXPECT_TRUE(bad(read_with(1, kHuge, nothing), "", std::to_string(kHuge)));
  EXPECT_TRUE(bad(read_with(0, 1, [](auto& kv) { kv.dtype = 0; }), "dtype", "0"));
  EXPECT_TRUE(bad(read_with(0, 1, [](auto& kv) { kv.dtype = 7; }), "dtype", "7"));
  EXPECT_TRUE(bad(read_with(0, 1, [](auto& kv) { kv.key_token_stride = 128; }), "key", "128"));
  EXPECT_TRUE(bad(read_with(0, 1, [](auto& kv) { kv.value_head_stride = 32; }), "value", "32"));
  EXPECT_TRUE(bad(tq_cache_read(cache_, sequence_, 0, 0, 1, nullptr, &error_), "out", "NULL"));
}

TEST_F(BadCacheCall, LayersOutOfRangeAreRefused) {
  std::size_t length = 77;
  KvOutput output(shape(), 1, TQ_F32);
  const KvInput input(random_tokens(random_, shape(), 1), TQ_F32);
  for (const std::uint32_t layer : {2u, UINT32_MAX}) {
    const std::string value = std::to_string(layer);
    EXPECT_TRUE(bad(tq_sequence_length(cache_, sequence_, layer, &length, &error_), "layer", value));
    EXPECT_TRUE(bad(tq_cache_read(cache_, sequence_, layer, 0, 1, output.get(), &error_), "layer", value));
    EXPECT_TRUE(bad(append(*input.get(), layer), "layer", value));
  }
  EXPECT_EQ(length, 77u);
}

TEST_F(BadCacheCall, NullIsRefusedByName) {
  tq_sequence sequence = 77;
  std::size_t length = 77;
  tq_cache_statistics stats;
  tq_cache_statistics_init(&stats, sizeof stats);
  KvOutput output(shape(), 1, TQ_F32);
  const KvInput input(random_tokens(random_, shape(), 1), TQ_F32);
  EXPECT_TRUE(bad(tq_sequence_create(nullptr, &sequence, &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_sequence_create(cache_, nullptr, &error_), "out", "NULL"));
  EXPECT_TRUE(bad(tq_sequence_fork(nullptr, sequence_, &sequence, &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_sequence_fork(cache_, sequence_, nullptr, &error_), "out", "NULL"));
  EXPECT_TRUE(bad(tq_sequence_truncate(nullptr, sequence_, 0, &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_sequence_destroy(nullptr, sequence_, &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_sequence_length(nullptr, sequence_, 0, &length, &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_sequence_length(cache_, sequence_, 0, nullptr, &error_), "out", "NULL"));
  EXPECT_TRUE(bad(tq_cache_append(nullptr, sequence_, 0, input.get(), &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_cache_append(cache_, sequence_, 0, nullptr, &error_), "kv", "NULL"));
  EXPECT_TRUE(bad(tq_cache_read(nullptr, sequence_, 0, 0, 1, output.get(), &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_cache_stats(nullptr, &stats, &error_), "cache", "NULL"));
  EXPECT_TRUE(bad(tq_cache_stats(cache_, nullptr, &error_), "stats", "NULL"));
  EXPECT_EQ(sequence, 77u);
  EXPECT_EQ(length, 77u);
}

TEST_F(BadCacheCall, SequencesThatDoNotExistAreNotFound) {
  const tq_sequence destroyed = cache_.sequence();
  cache_.destroy(destroyed);
  before_ = snapshot(cache_, {sequence_}, 2);
  KvOutput output(shape(), 1, TQ_F32);
  const KvInput input(random_tokens(random_, shape(), 1), TQ_F32);
  for (const tq_sequence gone : {tq_sequence{0}, destroyed, sequence_ + 1, sequence_ + (tq_sequence{1} << 32),
                                 ~tq_sequence{0}, tq_sequence{12345}}) {
    SCOPED_TRACE(gone);
    tq_sequence copy = 77;
    std::size_t length = 77;
    const auto not_found = [&](tq_status status) {
      return refused(status, error_, TQ_ERR_NOT_FOUND, "sequence", std::to_string(gone));
    };
    EXPECT_TRUE(not_found(tq_sequence_fork(cache_, gone, &copy, &error_)));
    EXPECT_TRUE(not_found(tq_sequence_truncate(cache_, gone, 0, &error_)));
    EXPECT_TRUE(not_found(tq_sequence_destroy(cache_, gone, &error_)));
    EXPECT_TRUE(not_found(tq_sequence_length(cache_, gone, 0, &length, &error_)));
    EXPECT_TRUE(not_found(tq_cache_append(cache_, gone, 0, input.get(), &error_)));
    EXPECT_TRUE(not_found(tq_cache_read(cache_, gone, 0, 0, 1, output.get(), &error_)));
    EXPECT_EQ(tq_sequence_destroy(cache_, gone, nullptr), TQ_ERR_NOT_FOUND);
    EXPECT_EQ(copy, 77u);
    EXPECT_EQ(length, 77u);
  }
}

TEST_F(BadCacheCall, NewSequencesNeverReuseANumber) {
  std::vector<tq_sequence> seen = {sequence_};
  for (int i = 0; i < 200; ++i) {
    const tq_sequence sequence = cache_.sequence();
    EXPECT_EQ(std::count(seen.begin(), seen.end(), sequence), 0);
    seen.push_back(sequence);
    cache_.destroy(sequence);
  }
  before_ = snapshot(cache_, {sequence_}, 2);
}

}  // namespace
}  // namespace tq_test
