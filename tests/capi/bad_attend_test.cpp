// What tq_attend and pools refuse, by name and value, with outputs and cache left alone.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "attention_call.hpp"

namespace tq_test {
namespace {

constexpr std::size_t kHuge = SIZE_MAX / 2;

class BadAttend : public testing::Test {
 protected:
  BadAttend() : cache_(layer_options(shape())), sequence_(cache_.sequence()) {
    cache_.append(sequence_, random_tokens(random_, shape(), 100));
    before_ = snapshot(cache_, {sequence_});
    query_ = gaussian(random_, 3 * 4 * 64);
  }
  ~BadAttend() override { EXPECT_TRUE(same(before_, snapshot(cache_, {sequence_}))); }

  static Shape shape() { return {2, 64, 32}; }

  using Spoil = std::function<void(tq_attend_options&, tq_attend_item&, tq_attend_item&)>;

  // Two good items of which `spoil` makes something bad; a good first item must not be answered either.
  tq_status attend_with(const Spoil& spoil) {
    tq_attend_options options;
    tq_attend_options_init(&options, sizeof options);
    options.q_heads = 4;
    tq_attend_item items[2];
    for (int i = 0; i < 2; ++i) {
      tq_attend_item_init(&items[i], sizeof items[i]);
      items[i].sequence = sequence_;
      items[i].n_query = 3;
      items[i].query = query_.data();
      items[i].output = output_[i].data();
      items[i].log_sum_exp = lse_[i].data();
    }
    spoil(options, items[0], items[1]);
    EXPECT_NE(tq_attend(cache_, &options, items, 2, nullptr), TQ_OK);
    const tq_status status = tq_attend(cache_, &options, items, 2, &error_);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(output_[i], std::vector<float>(3 * 4 * 32, -77.0f)) << "output " << i << " was written";
      EXPECT_EQ(lse_[i], std::vector<float>(3 * 4, -77.0f)) << "log_sum_exp " << i << " was written";
    }
    return status;
  }
  testing::AssertionResult bad(const Spoil& spoil, const std::string& name, const std::string& value) {
    return refused(attend_with(spoil), error_, TQ_ERR_INVALID_ARGUMENT, name, value);
  }

  Random random_{1};
  Cache cache_;
  tq_sequence sequence_;
  Snapshot before_;
  std::vector<float> query_;
  std::vector<float> output_[2] = {std::vector<float>(3 * 4 * 32, -77.0f), std::vector<float>(3 * 4 * 32, -77.0f)};
  std::vector<float> lse_[2] = {std::vector<float>(3 * 4, -77.0f), std::vector<float>(3 * 4, -77.0f)};
  Error error_;
};

TEST_F(BadAttend, OptionsAreRefusedByNameAndValue) {
  EXPECT_TRUE(bad([](auto& o, auto&, auto&) { o.layer = 1; }, "layer", "1"));
  EXPECT_TRUE(bad([](auto& o, auto&, auto&) { o.q_heads = 0; }, "q_heads", "0"));
  EXPECT_TRUE(bad([](auto& o, auto&, auto&) { o.q_heads = 3; }, "q_heads", "3"));
  EXPECT_TRUE(bad([](auto& o, auto&, auto&) { o.query_dtype = 0; }, "query_dtype", "0"));
  EXPECT_TRUE(bad([](auto& o, auto&, auto&) { o.output_dtype = 4; }, "output_dtype", "4"));
  EXPECT_TRUE(bad([](auto& o, auto&, auto&) { o.causal = 2; }, "causal", "2"));
  EXPECT_TRUE(bad([](auto& o, auto&, auto&) { o.softcap = -1.5f; }, "softcap", "-1.5"));
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_TRUE(bad([&](auto& o, auto&, auto&) { o.softcap = value; }, "softcap", ""));
    EXPECT_TRUE(bad([&](auto& o, auto&, auto&) { o.scale = value; }, "scale", ""));
  }
  const Pool pool(2);
  EXPECT_TRUE(bad(
      [&](auto& o, auto&, auto&) {
        o.pool = pool;
        o.parallel_for = run_backwards;
      },
      "pool", "parallel_for"));
}

TEST_F(BadAttend, ItemsAreRefusedByNameAndValue) {
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.query = nullptr; }, "query", "NULL"));
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.output = nullptr; }, "output", "NULL"));
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.reserved = 9; }, "reserved", "9"));
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.n_query = 101; }, "n_query", "101"));
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.n_query = kHuge; }, "quer", std::to_string(kHuge)));
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.query_token_stride = 256; }, "query", "256"));
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.query_head_stride = 64; }, "query", "64"));
  EXPECT_TRUE(bad(
      [](auto&, auto&, auto& i) {
        i.output_token_stride = 128;
        i.output_head_stride = 31;
      },
      "output", "31"));
  EXPECT_TRUE(bad(
      [](auto&, auto&, auto& i) {
        i.query_token_stride = kHuge;
        i.query_head_stride = 64;
      },
      "query", std::to_string(kHuge)));
  EXPECT_TRUE(bad([](auto&, auto&, auto& i) { i.struct_size += 8; }, "struct_size", ""));
}

TEST_F(BadAttend, UnknownSequencesAreNotFound) {
  for (const tq_sequence gone : {tq_sequence{0}, sequence_ + 1, ~tq_sequence{0}})
    EXPECT_TRUE(refused(attend_with([&](auto&, auto&, auto& i) { i.sequence = gone; }), error_, TQ_ERR_NOT_FOUND,
                        "sequence", std::to_string(gone)));
}

TEST_F(BadAttend, NewTokensAreCheckedLikeThoseOfAnAppend) {
  tq_dtype dtype = TQ_F32;
  const auto with = [&](const std::function<void(KvInput&)>& spoil, const std::string& name, const std::string& value) {
    KvInput input(random_tokens(random_, shape(), 3), dtype);
    spoil(input);
    return bad([&](auto&, auto&, auto& i) { i.new_tokens = input.get(); }, name, value);
  };
  EXPECT_TRUE(with([](auto& input) { input.kv().count = 2; }, "new_tokens", "2"));
  EXPECT_TRUE(with([](auto& input) { input.kv().dtype = 5; }, "dtype", "5"));
  EXPECT_TRUE(with([](auto& input) { input.kv().keys = nullptr; }, "keys", "NULL"));
  EXPECT_TRUE(with([](auto& input) { input.kv().values = nullptr; }, "values", "NULL"));
  EXPECT_TRUE(with([](auto& input) { input.kv().key_head_stride = 64; }, "key", "64"));
  EXPECT_TRUE(with([](auto& input) { input.kv().struct_size = 8; }, "struct_size", "8"));
  for (const tq_dtype each : {TQ_F32, TQ_F16, TQ_BF16}) {
    SCOPED_TRACE(dtype_name(each));
    dtype = each;
    EXPECT_TRUE(with([](auto& input) { input.keys().set(130, std::numeric_limits<float>::quiet_NaN()); }, "token 1",
                     "coordinate 2"));
    EXPECT_TRUE(
        with([](auto& input) { input.values().set(33, std::numeric_limits<float>::infinity()); }, "token 0", "head 1"));
  }
}

TEST_F(BadAttend, NullIsRefusedByName) {
  tq_attend_options options = attend_options({4, true, 0.0f, 0.0f, {}});
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence_;
  const auto null = [&](tq_status status, const char* name) {
    return refused(status, error_, TQ_ERR_INVALID_ARGUMENT, name, "NULL");
  };
  EXPECT_TRUE(null(tq_attend(nullptr, &options, &item, 1, &error_), "cache"));
  EXPECT_TRUE(null(tq_attend(cache_, nullptr, &item, 1, &error_), "options"));
  EXPECT_TRUE(null(tq_attend(cache_, &options, nullptr, 1, &error_), "items"));
  EXPECT_EQ(tq_attend(cache_, &options, nullptr, 0, &error_), TQ_OK) << error_.message;
}

TEST_F(BadAttend, AbsurdCountsAreRefused) {
  const tq_attend_options options = attend_options({4, true, 0.0f, 0.0f, {}});
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  for (const std::size_t count : {kHuge, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / sizeof item})
    EXPECT_NE(tq_attend(cache_, &options, &item, count, &error_), TQ_OK) << count;
}

TEST(BadPool, SizesAreRefusedByNameAndValue) {
  Error error;
  auto* const untouched = reinterpret_cast<tq_pool*>(&error);
  tq_pool* pool = untouched;
  EXPECT_TRUE(refused(tq_pool_create(0, &pool, &error), error, TQ_ERR_INVALID_ARGUMENT, "threads", "0"));
  EXPECT_TRUE(refused(tq_pool_create(1025, &pool, &error), error, TQ_ERR_INVALID_ARGUMENT, "threads", "1025"));
  EXPECT_TRUE(refused(tq_pool_create(2, nullptr, &error), error, TQ_ERR_INVALID_ARGUMENT, "out", "NULL"));
  EXPECT_EQ(tq_pool_create(0, &pool, nullptr), TQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(pool, untouched);
  tq_pool_destroy(nullptr);
}

}  // namespace
}  // namespace tq_test
