// The library against the golden files: bytes and decoded values bit for bit, attention within each case's tolerance.
#include "golden.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "handles.hpp"

namespace tq_test {
namespace {

using golden::Json;

void check_codec(const Json& golden_case) {
  tq_codec_options options =
      codec_options(golden_case.at("head_dim"), golden::format(golden_case.at("format")), golden_case.at("group_size"));
  options.rotation_block = golden_case.at("rotation_block");
  options.scale_search = golden_case.at("scale_search");
  options.layout = golden_case.at("layout") == "blocks" ? TQ_LAYOUT_BLOCKS : TQ_LAYOUT_VECTORS;
  options.seed = std::stoull(golden_case.at("seed").get<std::string>(), nullptr, 16);
  const Codec codec(options);
  const std::size_t count = golden_case.at("count");
  ASSERT_EQ(tq_codec_encoded_bytes(codec, count), golden_case.at("codes_bytes").get<std::size_t>());
  const Elements input(golden::dtype(golden_case.at("input_dtype")),
                       golden::rows(golden_case.at("input"), 0, count, 1, options.head_dim));
  EXPECT_EQ(golden::hex_of(codec.encode(input, count)), golden_case.at("codes").get<std::string>());

  const std::vector<float> decoded = codec.decode(golden::bytes_of_hex(golden_case.at("codes")), 0, count);
  const auto first_end = decoded.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(64, decoded.size()));
  EXPECT_EQ(golden::hex_of(std::vector<float>(decoded.begin(), first_end)),
            golden_case.at("decoded_first").get<std::string>());
  EXPECT_EQ(golden::fnv1a64(decoded), golden_case.at("decoded_fnv1a64").get<std::string>());
}

class GoldenCodec : public testing::TestWithParam<const char*> {};

TEST_P(GoldenCodec, GivesTheSameBytesAndValues) {
  for (const Json& golden_case : golden::cases(GetParam())) {
    SCOPED_TRACE(golden_case.at("name").get<std::string>());
    check_codec(golden_case);
  }
}

const auto file_name = [](const testing::TestParamInfo<const char*>& info) {
  const std::string file = info.param;
  return file.substr(0, file.find('.'));
};

INSTANTIATE_TEST_SUITE_P(Files, GoldenCodec,
                         testing::Values("codec_tq4.json", "codec_tq8.json", "codec_16bit.json", "codec_hard.json"),
                         file_name);

void check_cache(const Json& golden_case) {
  const golden::Steps steps(golden_case);
  const Cache cache(steps.options());
  const tq_sequence sequence = cache.sequence();
  steps.run(cache, sequence);
  ASSERT_EQ(cache.length(sequence), golden_case.at("length").get<std::size_t>());
  const std::size_t coded_pages = golden_case.at("pages").size();
  EXPECT_EQ(cache.stats().coded_bytes, coded_pages * golden_case.at("page_bytes").get<std::size_t>());

  const Tokens sample = cache.read(sequence, golden_case.at("sample_token"), 1);
  EXPECT_EQ(golden::hex_of(sample.keys), golden_case.at("sample_keys").get<std::string>());
  EXPECT_EQ(golden::hex_of(sample.values), golden_case.at("sample_values").get<std::string>());
  const Tokens all = cache.read(sequence);
  EXPECT_EQ(golden::fnv1a64(all.keys), golden_case.at("read_keys_fnv1a64").get<std::string>());
  EXPECT_EQ(golden::fnv1a64(all.values), golden_case.at("read_values_fnv1a64").get<std::string>());
}

class GoldenCache : public testing::TestWithParam<const char*> {};

TEST_P(GoldenCache, HoldsTheSamePagesAndReadsTheSameValues) {
  for (const Json& golden_case : golden::cases(GetParam())) {
    SCOPED_TRACE(golden_case.at("name").get<std::string>());
    check_cache(golden_case);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenCache,
                         testing::Values("cache_sizes.json", "cache_formats.json", "cache_steps.json",
                                         "cache_hard.json"),
                         file_name);

// tq_rotate divides by sqrt(n), which is exact where that is a power of two.
TEST(Golden, RotationIsTheSame) {
  for (const Json& golden_case : golden::cases("rotation.json")) {
    SCOPED_TRACE(golden_case.at("name").get<std::string>());
    tq_codec_options options = codec_options(golden_case.at("head_dim"));
    options.rotation_block = golden_case.at("rotation_block");
    options.seed = std::stoull(golden_case.at("seed").get<std::string>(), nullptr, 16);
    const Codec codec(options);
    const std::size_t count = golden_case.at("count");
    std::vector<float> rows = golden::rows(golden_case.at("input"), 0, count, 1, options.head_dim);
    EXPECT_EQ(tq_rotate(codec, rows.data(), count, nullptr), TQ_OK);
    const std::vector<float> expected = golden::floats_of_hex(golden_case.at("rotated_f32"));
    ASSERT_EQ(rows.size(), expected.size());
    const float root = std::sqrt(static_cast<float>(options.rotation_block));
    const double rounding = std::trunc(std::log2(root)) == std::log2(root) ? 0.0 : 0x1p-23;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double value = static_cast<double>(expected[i]) / std::sqrt(static_cast<double>(options.rotation_block));
      ASSERT_NEAR(rows[i], value, std::fabs(value) * rounding) << i;
    }
  }
}

std::vector<double> flat(const Json& nested) {
  std::vector<double> result;
  if (!nested.is_array()) return {nested.is_string() ? -std::numeric_limits<double>::infinity() : nested.get<double>()};
  for (const Json& part : nested) {
    const std::vector<double> inner = flat(part);
    result.insert(result.end(), inner.begin(), inner.end());
  }
  return result;
}

struct AttendResult {
  std::vector<float> output, log_sum_exp;
};

AttendResult attend(const Json& golden_case) {
  const golden::Steps steps(golden_case);
  const Cache cache(steps.options());
  const tq_sequence sequence = cache.sequence();
  steps.run(cache, sequence);

  tq_attend_options options;
  tq_attend_options_init(&options, sizeof options);
  options.q_heads = golden_case.at("q_heads");
  options.causal = golden_case.at("causal");
  options.scale = golden_case.at("scale");
  options.softcap = golden_case.at("softcap");
  std::vector<float> sinks;
  if (!golden_case.at("sink_logits").is_null()) sinks = golden_case.at("sink_logits").get<std::vector<float>>();
  options.sink_logits = sinks.empty() ? nullptr : sinks.data();

  const std::size_t n_query = golden_case.at("n_query"), rows = n_query * options.q_heads;
  const std::vector<float> query =
      golden::rows(golden_case.at("query_input"), 0, n_query, options.q_heads, cache.shape().key_dim);
  AttendResult result{std::vector<float>(rows * cache.shape().value_dim, -77.0f), std::vector<float>(rows, -77.0f)};
  KvInput new_tokens(steps.tokens(cache.length(sequence), n_query), golden::dtype(golden_case.at("dtype")));
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence;
  item.n_query = n_query;
  item.query = query.data();
  item.output = result.output.data();
  item.log_sum_exp = result.log_sum_exp.data();
  item.new_tokens = golden_case.at("new_tokens") == 1 ? new_tokens.get() : nullptr;
  Error error;
  EXPECT_TQ_OK(tq_attend(cache, &options, &item, 1, &error), error);
  return result;
}

TEST(Golden, AttentionIsWithinTheTolerance) {
  for (const Json& golden_case : golden::cases("attention.json")) {
    SCOPED_TRACE(golden_case.at("name").get<std::string>());
    const AttendResult result = attend(golden_case);
    const std::vector<double> output = flat(golden_case.at("output")), lse = flat(golden_case.at("log_sum_exp"));
    ASSERT_EQ(result.output.size(), output.size());
    ASSERT_EQ(result.log_sum_exp.size(), lse.size());
    double squares = 0.0;
    for (std::size_t i = 0; i < output.size(); ++i)
      squares += (result.output[i] - output[i]) * (result.output[i] - output[i]);
    EXPECT_LE(std::sqrt(squares / static_cast<double>(output.size())),
              golden_case.at("tolerance").at("output_rms").get<double>());
    for (std::size_t i = 0; i < lse.size(); ++i) {
      if (std::isinf(lse[i])) {
        EXPECT_EQ(result.log_sum_exp[i], lse[i]) << i;
      } else {
        EXPECT_NEAR(result.log_sum_exp[i], lse[i], golden_case.at("tolerance").at("log_sum_exp").get<double>()) << i;
      }
    }
  }
}

}  // namespace
}  // namespace tq_test
