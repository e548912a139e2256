#include "options.hpp"

#include <gtest/gtest.h>

#include "expect_refusal.hpp"

namespace llama {
namespace {

TEST(Options, DefaultsAreTheLibrarysAndTheEmbeddedModel) {
  const Options options = parse_options({});
  EXPECT_EQ(options.cache.key_format, static_cast<tq_format>(TQ_FORMAT_TQ4));
  EXPECT_EQ(options.cache.group_size, 64u);
  EXPECT_EQ(options.cache.sink_tokens, 4u);
  EXPECT_TRUE(options.cache.center_keys && options.cache.scale_search && options.generate);
  EXPECT_EQ(options.windows, 4u);
}

TEST(Options, ValuesMayFollowASpaceOrAnEqualsSign) {
  const Options options = parse_options({"--group=32", "--key-format", "tq8", "--sinks", "0", "--no-centering",
                                         "--prompt=a=b", "--seed", "18446744073709551615"});
  EXPECT_EQ(options.cache.group_size, 32u);
  EXPECT_EQ(options.cache.key_format, static_cast<tq_format>(TQ_FORMAT_TQ8));
  EXPECT_EQ(options.cache.sink_tokens, 0u);
  EXPECT_FALSE(options.cache.center_keys);
  EXPECT_EQ(options.prompt, "a=b");
  EXPECT_EQ(options.cache.seed, ~std::uint64_t{0});
}

TEST(Options, RefusalsNameTheArgumentAndTheValue) {
  EXPECT_REFUSAL(parse_options({"--frobnicate"}), "'--frobnicate' is not an option");
  EXPECT_REFUSAL(parse_options({"--windows"}), "--windows has no value");
  EXPECT_REFUSAL(parse_options({"--windows", "0"}), "--windows is '0'");
  EXPECT_REFUSAL(parse_options({"--windows", "4x"}), "--windows is '4x'");
  EXPECT_REFUSAL(parse_options({"--context", "-1"}), "--context is '-1'");
  EXPECT_REFUSAL(parse_options({"--group", "48"}), "--group is '48'");
  EXPECT_REFUSAL(parse_options({"--key-format", "q4"}), "--key-format is 'q4'");
  EXPECT_REFUSAL(parse_options({"--sinks", "65"}), "--sinks is '65'");
  EXPECT_REFUSAL(parse_options({"--rotation-block", "48"}), "--rotation-block is 48");
  EXPECT_REFUSAL(parse_options({"--no-centering=1"}), "--no-centering takes no value");
  EXPECT_REFUSAL(parse_options({"--temperature", "nan"}), "--temperature is 'nan'");
}

TEST(Options, AProfileStandsAlone) {
  EXPECT_EQ(parse_options({"--profile", "p.json", "--windows", "2"}).cache.profile, "p.json");
  for (const char* other : {"--no-centering", "--no-tail", "--sinks=3", "--group=32", "--seed=1", "--key-format=tq8"}) {
    EXPECT_REFUSAL(parse_options({"--profile", "p.json", other}), "leave out --");
    EXPECT_REFUSAL(parse_options({other, "--profile=p.json"}), "leave out --");
  }
}

TEST(Options, HelpNamesEveryOptionWithin100Columns) {
  const std::string text = help_text();
  for (const char* name : {"--model", "--json", "--recent-blocks", "--check-values", "--no-scale-search"})
    EXPECT_NE(text.find(name), std::string::npos) << name;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    EXPECT_LE(end - start, 100u) << text.substr(start, end - start);
    start = end + 1;
  }
}

}  // namespace
}  // namespace llama
