// Structs of callers that are older or newer than the library, and the functions about versions and errors.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "handles.hpp"

namespace tq_test {
namespace {

constexpr std::size_t kMore = 24;  // bytes that a newer header might have

// A struct as a newer caller has it: our fields, then kMore bytes.
template <class T>
struct Newer {
  T known;
  std::uint8_t more[kMore] = {};
  T* get() { return &known; }
};

template <class T>
using Init = void (*)(T*, std::uint32_t);

// Init functions of older callers must stay within their struct, those of newer ones must clear all of it.
template <class T>
void check_init(Init<T> init) {
  std::uint8_t bytes[sizeof(T) + 2 * kMore];
  for (const std::uint32_t size : {std::uint32_t{4}, std::uint32_t{12}, static_cast<std::uint32_t>(sizeof(T)),
                                   static_cast<std::uint32_t>(sizeof(T) + kMore)}) {
    SCOPED_TRACE(testing::Message() << size << " of " << sizeof(T) << " bytes");
    std::memset(bytes, 0xEE, sizeof bytes);
    init(reinterpret_cast<T*>(bytes), size);
    std::uint32_t stored = 0;
    std::memcpy(&stored, bytes, sizeof stored);
    EXPECT_EQ(stored, size);
    for (std::size_t i = size; i < sizeof bytes; ++i) ASSERT_EQ(bytes[i], 0xEE) << "wrote byte " << i;
    for (std::size_t i = sizeof(T); i < size; ++i) ASSERT_EQ(bytes[i], 0) << "did not clear byte " << i;
  }
}

TEST(Versions, InitFunctionsWriteExactlyTheSizeGiven) {
  check_init<tq_error>(tq_error_init);
  check_init<tq_codec_options>(tq_codec_options_init);
  check_init<tq_layer_options>(tq_layer_options_init);
  check_init<tq_cache_options>(tq_cache_options_init);
  check_init<tq_kv>(tq_kv_init);
  check_init<tq_kv_out>(tq_kv_out_init);
  check_init<tq_cache_statistics>(tq_cache_statistics_init);
  check_init<tq_attend_options>(tq_attend_options_init);
  check_init<tq_attend_item>(tq_attend_item_init);
}

TEST(Versions, DefaultsAreThoseOfTheHeader) {
  const tq_codec_options codec = codec_options(64);
  EXPECT_EQ(codec.format, tq_format{TQ_FORMAT_TQ4});
  EXPECT_EQ(codec.group_size, 64u);
  EXPECT_EQ(codec.rotation_block, 0u);
  EXPECT_EQ(codec.scale_search, 1u);
  EXPECT_EQ(codec.layout, std::uint32_t{TQ_LAYOUT_VECTORS});
  const tq_layer_options layer = layer_options({1, 64, 0});
  EXPECT_EQ(layer.key_format, tq_format{TQ_FORMAT_TQ4});
  EXPECT_EQ(layer.value_format, tq_format{TQ_FORMAT_TQ4});
  EXPECT_EQ(layer.key_group_size, 64u);
  EXPECT_EQ(layer.value_group_size, 64u);
  EXPECT_EQ(layer.center_keys, 1u);
  EXPECT_EQ(layer.scale_search, 1u);
  EXPECT_EQ(layer.sink_tokens, 4u);
  EXPECT_EQ(layer.recent_blocks, 0u);
  EXPECT_EQ(layer.exact_dtype, tq_dtype{TQ_DTYPE_AUTO});
  EXPECT_EQ(layer.window, 0u);
  tq_attend_options attend;
  tq_attend_options_init(&attend, sizeof attend);
  EXPECT_EQ(attend.query_dtype, tq_dtype{TQ_F32});
  EXPECT_EQ(attend.output_dtype, tq_dtype{TQ_F32});
  EXPECT_EQ(attend.causal, 1u);
  EXPECT_EQ(attend.scale, 0.0f);
  EXPECT_EQ(attend.softcap, 0.0f);
  EXPECT_EQ(attend.sink_logits, nullptr);
  EXPECT_EQ(attend.pool, nullptr);
  EXPECT_EQ(attend.parallel_for, nullptr);
}

// Calls `use` with a struct of several sizes: too small, of the future without and with news in it.
template <class T, class Use>
void check_sizes(const T& good, Use use) {
  Error error;
  for (const std::size_t size : {std::size_t{0}, std::size_t{4}, sizeof(T) - 8, sizeof(T) - 1}) {
    Newer<T> old{good};
    old.known.struct_size = static_cast<std::uint32_t>(size);
    EXPECT_TRUE(refused(use(old.get(), &error), error, TQ_ERR_INVALID_ARGUMENT, "struct_size", std::to_string(size)));
  }
  Newer<T> newer{good};
  newer.known.struct_size = sizeof newer;
  EXPECT_TQ_OK(use(newer.get(), &error), error);
  for (const std::size_t at : {std::size_t{0}, kMore - 1}) {
    std::memset(newer.more, 0, sizeof newer.more);
    newer.more[at] = 1;
    EXPECT_TRUE(refused(use(newer.get(), &error), error, TQ_ERR_UNSUPPORTED, std::to_string(sizeof newer)));
    EXPECT_EQ(use(newer.get(), nullptr), TQ_ERR_UNSUPPORTED);
  }
  newer.known.struct_size = UINT32_MAX;  // nobody has that much; it must not be read
  EXPECT_NE(use(newer.get(), &error), TQ_OK);
}

TEST(Versions, CodecOptionsOfOtherSizes) {
  check_sizes(codec_options(64), [](const tq_codec_options* options, tq_error* err) {
    tq_codec* codec = nullptr;
    const tq_status status = tq_codec_create(options, &codec, err);
    tq_codec_destroy(codec);
    return status;
  });
}

tq_status create_cache(const tq_cache_options* options, tq_error* err) {
  tq_cache* cache = nullptr;
  const tq_status status = tq_cache_create(options, &cache, err);
  tq_cache_destroy(cache);
  return status;
}

TEST(Versions, CacheAndLayerOptionsOfOtherSizes) {
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  const tq_layer_options layer = layer_options({2, 64, 64});
  options.layer_count = 1;
  options.layers = &layer;
  check_sizes(options, create_cache);
  check_sizes(layer, [&](const tq_layer_options* given, tq_error* err) {
    options.layers = given;
    return create_cache(&options, err);
  });
}

TEST(Versions, ArraysOfNewerLayersAreSteppedByTheirSize) {
  Newer<tq_layer_options> layers[3];
  for (std::uint32_t i = 0; i < 3; ++i) {
    layers[i].known = layer_options({1, 32u << i, 16});
    layers[i].known.struct_size = sizeof layers[i];
  }
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  options.layer_count = 3;
  options.layers = &layers[0].known;
  tq_cache* cache = nullptr;
  tq_sequence sequence = 0;
  Error error;
  EXPECT_TQ_OK(tq_cache_create(&options, &cache, &error), error);
  EXPECT_TQ_OK(tq_sequence_create(cache, &sequence, &error), error);
  Random random(1);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const KvInput input(random_tokens(random, {1, 32u << i, 16}, 1), TQ_F32);
    EXPECT_TQ_OK(tq_cache_append(cache, sequence, i, input.get(), &error), error);
    // With strides of a narrower layer only the right one is content.
    KvInput narrow(random_tokens(random, {1, 32u << i, 16}, 1), TQ_F32, Layout::kExplicit);
    narrow.kv().key_head_stride = (32u << i) - 1;
    EXPECT_EQ(tq_cache_append(cache, sequence, i, narrow.get(), &error), TQ_ERR_INVALID_ARGUMENT) << "layer " << i;
  }
  tq_cache_destroy(cache);
  layers[2].known.struct_size -= 8;
  EXPECT_TRUE(refused(tq_cache_create(&options, &cache, &error), error, TQ_ERR_INVALID_ARGUMENT, "struct_size"));
}

TEST(Versions, StructsOfCallsOfOtherSizes) {
  const Shape shape{1, 64, 64};
  const Cache cache(layer_options(shape));
  const tq_sequence sequence = cache.sequence();
  Random random(1);
  const KvInput input(random_tokens(random, shape, 3), TQ_F32);
  check_sizes(*input.get(),
              [&](const tq_kv* kv, tq_error* err) { return tq_cache_append(cache, sequence, 0, kv, err); });
  EXPECT_EQ(cache.length(sequence), 3u);

  KvOutput output(shape, 3, TQ_F32);
  check_sizes(*output.get(),
              [&](const tq_kv_out* out, tq_error* err) { return tq_cache_read(cache, sequence, 0, 0, 3, out, err); });

  std::vector<float> query(64, 1.0f), out(64);
  tq_attend_options options;
  tq_attend_options_init(&options, sizeof options);
  options.q_heads = 1;
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence;
  item.n_query = 1;
  item.query = query.data();
  item.output = out.data();
  check_sizes(options,
              [&](const tq_attend_options* given, tq_error* err) { return tq_attend(cache, given, &item, 1, err); });
  check_sizes(item,
              [&](const tq_attend_item* given, tq_error* err) { return tq_attend(cache, &options, given, 1, err); });

  Newer<tq_attend_item> items[2] = {{item}, {item}};
  std::vector<float> second(64, -77.0f);
  items[1].known.output = second.data();
  for (auto& newer : items) newer.known.struct_size = sizeof newer;
  Error error;
  EXPECT_TQ_OK(tq_attend(cache, &options, &items[0].known, 2, &error), error);
  EXPECT_EQ(second, out);
}

TEST(Versions, StatisticsOfOtherSizes) {
  const Cache cache(layer_options({1, 64, 64}));
  Error error;
  Newer<tq_cache_statistics> stats;
  tq_cache_statistics_init(&stats.known, sizeof stats);
  EXPECT_TQ_OK(tq_cache_stats(cache, &stats.known, &error), error);
  EXPECT_EQ(stats.known.struct_size, sizeof stats);
  for (const std::size_t size : {std::size_t{0}, std::size_t{4}, sizeof(tq_cache_statistics) - 8}) {
    stats.known.struct_size = static_cast<std::uint32_t>(size);
    EXPECT_TRUE(refused(tq_cache_stats(cache, &stats.known, &error), error, TQ_ERR_INVALID_ARGUMENT, "struct_size",
                        std::to_string(size)));
  }
}

TEST(Errors, AreWrittenOnlyWhereThereIsRoomForThem) {
  tq_error error;
  std::memset(&error, 0xEE, sizeof error);
  tq_error before = error;
  error.struct_size = before.struct_size = sizeof error - 1;
  EXPECT_EQ(tq_fwht(nullptr, 3, 1, &error), TQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(std::memcmp(&error, &before, sizeof error), 0);
  tq_error_init(&error, sizeof error);
  EXPECT_EQ(error.struct_size, sizeof error);
  EXPECT_EQ(error.status, TQ_OK);
  EXPECT_STREQ(error.message, "");
  EXPECT_EQ(tq_fwht(nullptr, 3, 1, &error), TQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(error.status, TQ_ERR_INVALID_ARGUMENT);
  EXPECT_NE(std::memchr(error.message, 0, sizeof error.message), nullptr);
  float one = 1.0f;
  EXPECT_EQ(tq_fwht(&one, 1, 1, &error), TQ_OK);
  EXPECT_EQ(error.status, TQ_OK) << "a success clears the error";
}

TEST(Library, NamesItself) {
  EXPECT_EQ(tq_version(), TQ_VERSION);
  const unsigned version = tq_version();
  const std::string expected =
      std::to_string(version / 10000) + '.' + std::to_string(version / 100 % 100) + '.' + std::to_string(version % 100);
  EXPECT_EQ(tq_version_string(), expected);
  const char* const names[] = {"TQ_OK",
                               "TQ_ERR_INVALID_ARGUMENT",
                               "TQ_ERR_OUT_OF_MEMORY",
                               "TQ_ERR_BUFFER_TOO_SMALL",
                               "TQ_ERR_CORRUPT_DATA",
                               "TQ_ERR_UNSUPPORTED",
                               "TQ_ERR_INTERNAL",
                               "TQ_ERR_NOT_FOUND",
                               "TQ_ERR_BUSY"};
  for (tq_status status = 0; status < 9; ++status) EXPECT_STREQ(tq_status_name(status), names[status]);
  for (const tq_status status : {-1, 9, 1000, INT32_MAX, INT32_MIN})
    EXPECT_STREQ(tq_status_name(status), "unknown tq_status");
  const std::string target = tq_cpu_target();
  EXPECT_TRUE(target == "baseline" || target == "avx2" || target == "avx512" || target == "avx512_vnni" ||
              target == "avx512_amx" || target == "neon")
      << target;
}

}  // namespace
}  // namespace tq_test
