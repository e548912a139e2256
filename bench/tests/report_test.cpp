// The protocol takes its turns, and the report says what was measured. Nothing here depends on how long anything takes.
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "harness/measure.hpp"
#include "report/json.hpp"
#include "report/table.hpp"

namespace bench {
namespace {

Result example() {
  Result result;
  result.name = "attend/d128/g1/4096";
  result.unit = "kv head and token";
  result.units = 50;
  result.read_gbps = 12;
  result.timings = {{"tq", "", 100, 110, {80, "read"}, 1000, 15},
                    {"fp16", "tiles", 350, 360, {300, "read"}, 4000, 15},
                    {"ggml_f16", "", 900, 950, {}, 0, 3},
                    {"ggml_q8_0", "", 800, 850, {}, 0, 3},
                    {"tq_one_thread", "", 190, 200, {}, 0, 15}};
  return result;
}

TEST(Report, JsonHasTheRatiosOfTheMinima) {
  const auto json = json_of(example());
  EXPECT_EQ(json["name"], "attend/d128/g1/4096");
  EXPECT_EQ(json["ns"], 100);
  EXPECT_EQ(json["ns_median"], 110);
  EXPECT_EQ(json["ns_per_unit"], 2);
  EXPECT_EQ(json["bytes"], 1000);
  EXPECT_EQ(json["limit"], "read");
  EXPECT_EQ(json["limit_ns"], 80);
  EXPECT_EQ(json["of_limit"], 0.8);
  EXPECT_EQ(json["vs_fp16"], 3.5);
  EXPECT_EQ(json["vs_one_thread"], 1.9);
  EXPECT_FALSE(json.contains("vs_bf16"));
  ASSERT_EQ(json["baselines"].size(), 4U);
  EXPECT_EQ(json["baselines"][0]["of_limit"], 0.857);
  EXPECT_FALSE(json["baselines"][1].contains("of_limit"));
}

TEST(Report, VsGgmlIsTheFastestOfItsTypes) {
  const auto json = json_of(example());
  EXPECT_EQ(json["vs_ggml_f16"], 9);
  EXPECT_EQ(json["vs_ggml_q8_0"], 8);
  EXPECT_EQ(json["vs_ggml"], 8);
}

TEST(Report, TransformsAreTheOtherWayRound) {
  Result result = example();
  result.timings = {{"tq", "", 300, 300, {}, 0, 15}, {"fwht", "", 100, 100, {}, 0, 15}};
  const auto json = json_of(result);
  EXPECT_EQ(json["transforms"], 3);
  EXPECT_EQ(json["vs_fwht"], 0.333);
}

TEST(Report, TheTableFitsInto120Columns) {
  Result result = example();
  result.name = "encode/vectors/d128/f32/nosearch";
  std::stringstream text(table_head() + table_row(result));
  int lines = 0;
  for (std::string line; std::getline(text, line); ++lines) EXPECT_LE(line.size(), 120U) << line;
  EXPECT_GE(lines, 4);  // two of the head, and the baselines need a second one
  EXPECT_NE(text.str().find("fp16 3.50x (86)"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("80 % read"), std::string::npos) << text.str();
}

TEST(Measure, EveryContenderTakesPartAndTheLimitIsTheSlowestNeed) {
  int ours = 0, theirs = 0, prepared = 0;
  const std::vector<char> memory(1 << 16, 1);
  const Case what{"made/up", "", [&] {
                    ++prepared;
                    Plan plan;
                    Work work;
                    work.data = memory.data(), work.bytes = memory.size();
                    Work more = work;
                    more.fmas = 1e9;  // far more than reading 64 KB
                    plan.contenders = {{"tq", [&] { ++ours; }, work}, {"other", [&] { ++theirs; }, more}};
                    return plan;
                  }};
  const Result result = measure(what, {4, 1.0, 1000});
  EXPECT_EQ(prepared, 1);
  ASSERT_EQ(result.timings.size(), 2U);
  EXPECT_EQ(result.timings[0].rounds, 4);
  EXPECT_GE(ours, 2 + 4 * 2);  // first call, calibration, then an untimed and a timed one per round
  EXPECT_GE(theirs, 2 + 4 * 2);
  EXPECT_EQ(result.timings[0].limit.what, "read");
  EXPECT_EQ(result.timings[1].limit.what, "fma");
  EXPECT_LE(result.timings[0].ns, result.timings[0].median_ns);
  EXPECT_GT(result.read_gbps, 0);
}

TEST(Measure, APassIsQuieterIfEverythingTogetherIsFaster) {
  const auto made = [](double ours, double theirs, double limit) {
    Result result;
    result.timings = {{"tq", "", ours, ours, {limit, "read"}, 0, 11}, {"other", "", theirs, theirs, {}, 0, 11}};
    return result;
  };
  EXPECT_TRUE(quieter(made(100, 900, 50), made(100, 1000, 50)));
  EXPECT_TRUE(quieter(made(100, 1000, 40), made(100, 1000, 50)));
  EXPECT_TRUE(quieter(made(110, 500, 50), made(100, 1000, 50))) << "the library gains nothing by slow contenders";
  EXPECT_FALSE(quieter(made(100, 1000, 50), made(100, 1000, 50)));
}

TEST(Measure, WritingIsALimitToo) {
  std::vector<char> memory(1 << 16, 'x');
  const Case what{"made/up", "", [&] {
                    Plan plan;
                    Work work;
                    work.written = memory.data(), work.written_bytes = memory.size();
                    work.adds = 1;  // next to nothing
                    plan.contenders = {{"tq", [] {}, work}};
                    return plan;
                  }};
  const Result result = measure(what, {4, 1.0, 1000});
  EXPECT_EQ(result.timings[0].limit.what, "write");
  EXPECT_EQ(memory, std::vector<char>(memory.size(), 0)) << "all of it has to be written";
}

TEST(Measure, WhatIsSlowTakesPartInFewerRounds) {
  int calls = 0;
  const Case what{"made/up", "", [&] {
                    Plan plan;
                    plan.contenders = {{"tq", [&] { ++calls; }, {}}};
                    return plan;
                  }};
  const Result result = measure(what, {15, 0, 1});  // no time at all
  EXPECT_EQ(result.timings[0].rounds, kFewestRounds);
}

}  // namespace
}  // namespace bench
