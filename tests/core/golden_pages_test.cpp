// Every byte of every coded page, against the golden files.
#include <gtest/gtest.h>

#include "../../capi/src/handles.hpp"
#include "../capi/golden.hpp"
#include "../capi/handles.hpp"

namespace tq_test {
namespace {

using golden::Json;

std::vector<std::string> coded_pages(const tq::Cache& cache, tq_sequence id) {
  const tq::Layer& layer = cache.layer(0);
  const tq::LayerTokens& tokens = cache.sequence(id).layer(0);
  std::vector<std::string> pages;
  tokens.for_segments(layer, tokens.first_held(layer), tokens.length(), [&](const tq::Segment& segment) {
    if (segment.capacity == 0)
      pages.push_back(golden::hex_of(Bytes(segment.page, segment.page + layer.layout().page_bytes)));
  });
  return pages;
}

class GoldenPages : public testing::TestWithParam<const char*> {};

TEST_P(GoldenPages, AreTheSameBytes) {
  for (const Json& golden_case : golden::cases(GetParam())) {
    SCOPED_TRACE(golden_case.at("name").get<std::string>());
    const golden::Steps steps(golden_case);
    const Cache cache(steps.options());
    const tq_sequence sequence = cache.sequence();
    steps.run(cache, sequence);
    const tq_cache* handle = cache;
    const std::vector<std::string> pages = coded_pages(handle->cache, sequence);
    const auto expected = golden_case.at("pages").get<std::vector<std::string>>();
    ASSERT_EQ(pages.size(), expected.size());
    for (std::size_t i = 0; i < pages.size(); ++i) {
      const auto at = std::mismatch(pages[i].begin(), pages[i].end(), expected[i].begin(), expected[i].end());
      EXPECT_EQ(pages[i], expected[i]) << "page " << i << ", first at byte " << (at.first - pages[i].begin()) / 2;
    }
  }
}

const auto file_name = [](const testing::TestParamInfo<const char*>& file) {
  const std::string name = file.param;
  return name.substr(0, name.find('.'));
};

INSTANTIATE_TEST_SUITE_P(Files, GoldenPages,
                         testing::Values("cache_sizes.json", "cache_formats.json", "cache_steps.json",
                                         "cache_hard.json"),
                         file_name);

}  // namespace
}  // namespace tq_test
