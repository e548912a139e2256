// The baselines compute what they claim to: a fast wrong baseline would make the library look bad, a slow one good.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "baselines/table.hpp"
#include "cases/data.hpp"
#include "cases/outputs.hpp"
#include "cases/uncompressed.hpp"

namespace bench {
namespace {

// What a tile of the type holds.
float stored(Type type, float x) {
  if (type == Type::kF32) return x;
  if (type == Type::kF16) return float_of_f16(f16_of(x));
  const std::uint32_t bits = static_cast<std::uint32_t>(bf16_of(x)) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// softmax(q K^T / sqrt(d)) V over the first `visible` tokens of one head, in double.
std::vector<float> reference(const Pool& pool, Type type, std::size_t head, std::size_t visible, const float* query) {
  const std::size_t d = pool.head_dim;
  std::vector<double> sums(d, 0);
  double total = 0;
  for (std::size_t t = 0; t < visible; ++t) {
    const std::size_t row = (t % Pool::kTokens * pool.heads + head) * d;
    double dot = 0;
    for (std::size_t i = 0; i < d; ++i) dot += static_cast<double>(query[i]) * stored(type, pool.keys[row + i]);
    const double weight = std::exp(dot / std::sqrt(static_cast<double>(d)));
    total += weight;
    for (std::size_t i = 0; i < d; ++i) sums[i] += weight * stored(type, pool.values[row + i]);
  }
  std::vector<float> out(d);
  for (std::size_t i = 0; i < d; ++i) out[i] = static_cast<float>(sums[i] / total);
  return out;
}

// Weights and, with vdpbf16ps or tile registers, queries are rounded to bf16 there.
double tolerance(Type type) {
  const std::string name = baselines().attention.name;
  const bool rounds = type == Type::kBf16 && (name == "avx512_bf16" || name == "avx512_amx");
  return rounds ? 1e-2 : 1e-5;
}

void expect_rows(const Pool& pool, Type type, std::size_t head, std::size_t visible, const float* query,
                 const float* out) {
  const std::vector<float> expected = reference(pool, type, head, visible, query);
  const std::vector<float> got(out, out + pool.head_dim);
  EXPECT_LT(difference(got, expected), tolerance(type))
      << kTypeNames[static_cast<int>(type)] << ", head " << head << ", " << visible << " tokens";
}

struct Shape {
  std::size_t head_dim, group, tokens;
};

void expect_decode(const Shape& shape) {
  constexpr std::size_t kHeads = 2;
  const Pool pool(kHeads, shape.head_dim);
  const std::vector<float> queries = gaussian(kHeads * shape.group * shape.head_dim, 7);
  const std::vector<float> scaled = scaled_queries(queries, shape.head_dim);
  for (const Type type : {Type::kF32, Type::kF16, Type::kBf16}) {
    const Tiles tiles(pool, type, kHeads, shape.tokens);
    for (const Panel& panel : baselines().attention.panels(type)) {
      if (static_cast<std::size_t>(panel.rows) > shape.group) continue;
      for (const bool prefetch : {false, true}) {
        SCOPED_TRACE(describe(panel));
        std::vector<float> out(queries.size());
        run_decode({&tiles, scaled.data(), shape.group, out.data()}, {panel, panel, prefetch}, nullptr);
        for (std::size_t row = 0; row < kHeads * shape.group; ++row) {
          const std::size_t at = row * shape.head_dim;
          expect_rows(pool, type, row / shape.group, shape.tokens, queries.data() + at, out.data() + at);
        }
      }
    }
  }
}

TEST(Baselines, DecodeIsAttentionWithEveryRegisterTile) {
  for (const Shape& shape : {Shape{64, 1, 64}, Shape{128, 4, 100}, Shape{256, 8, 129}, Shape{128, 3, 1}})
    expect_decode(shape);
}

TEST(Baselines, DecodeWithAsManyRowsAsATileHas) {
  for (const Shape& shape : {Shape{64, 16, 1}, Shape{128, 15, 63}, Shape{64, 16, 65}, Shape{256, 16, 64}})
    expect_decode(shape);
}

// The panels for scores and for values are chosen one by one, so any pair must work.
TEST(Baselines, DecodeMixesPanels) {
  constexpr std::size_t kDim = 128, kRows = 8, kTokens = 100;
  const Pool pool(1, kDim);
  const std::vector<float> queries = gaussian(kRows * kDim, 7), scaled = scaled_queries(queries, kDim);
  const Tiles tiles(pool, Type::kBf16, 1, kTokens);
  const PanelList panels = baselines().attention.panels(Type::kBf16);
  for (const Panel& scores : panels) {
    for (const Panel& values : panels) {
      if (scores.rows > static_cast<int>(kRows) || values.rows > static_cast<int>(kRows)) continue;
      SCOPED_TRACE(describe(Tiling{scores, values, false}));
      std::vector<float> out(queries.size());
      run_decode({&tiles, scaled.data(), kRows, out.data()}, {scores, values, false}, nullptr);
      expect_rows(pool, Type::kBf16, 0, kTokens, queries.data() + 7 * kDim, out.data() + 7 * kDim);
    }
  }
}

TEST(Baselines, TwoThreadsComputeTheSame) {
  constexpr std::size_t kHeads = 3, kDim = 64, kTokens = 70;
  const Pool pool(kHeads, kDim);
  const std::vector<float> queries = gaussian(kHeads * kDim, 7);
  const Tiles tiles(pool, Type::kF16, kHeads, kTokens);
  std::vector<float> one(queries.size()), two(queries.size());
  const UncompressedCall call{&tiles, queries.data(), 1, one.data()};
  const Tiling tiling = tune_decode(call);
  run_decode(call, tiling, nullptr);
  Team team(2);
  run_decode({&tiles, queries.data(), 1, two.data()}, tiling, &team);
  EXPECT_EQ(one, two);
}

// The configuration of tile registers belongs to the thread.
TEST(Baselines, EveryPanelRunsOnTwoThreads) {
  constexpr std::size_t kHeads = 3, kDim = 64, kTokens = 70, kRows = 8;
  const Pool pool(kHeads, kDim);
  const std::vector<float> queries = gaussian(kHeads * kRows * kDim, 7);
  const Tiles tiles(pool, Type::kBf16, kHeads, kTokens);
  std::vector<float> one(queries.size()), two(queries.size());
  const UncompressedCall on_one{&tiles, queries.data(), kRows, one.data()};
  const UncompressedCall on_two{&tiles, queries.data(), kRows, two.data()};
  Team team(2);
  for (const Panel& panel : baselines().attention.panels(Type::kBf16)) {
    run_decode(on_one, {panel, panel}, nullptr);
    run_decode(on_two, {panel, panel}, &team);
    EXPECT_EQ(one, two) << describe(panel);
  }
  for (const Panel& panel : baselines().attention.prefill_panels(Type::kBf16)) {
    run_prefill(on_one, {kRows, 1}, {panel, panel}, nullptr);
    run_prefill(on_two, {kRows, 1}, {panel, panel}, &team);
    EXPECT_EQ(one, two) << describe(panel);
  }
}

struct PrefillCase {
  std::size_t head_dim, group, new_tokens, cached;
};

// Every `every`-th row and the last one, with all panels.
void expect_prefill(const PrefillCase& shape, Type type, const std::vector<float>& queries,
                    const std::vector<float>& scaled, std::size_t every) {
  constexpr std::size_t kHeads = 2;
  const std::size_t d = shape.head_dim, rows = shape.new_tokens * shape.group;
  const Pool pool(kHeads, d);
  const Tiles tiles(pool, type, kHeads, shape.cached + shape.new_tokens);
  for (const Panel& panel : baselines().attention.prefill_panels(type)) {
    SCOPED_TRACE(describe(panel) + ", " + std::to_string(rows) + " rows, head_dim " + std::to_string(d));
    std::vector<float> out(queries.size());
    run_prefill({&tiles, scaled.data(), rows, out.data()}, {shape.new_tokens, shape.group}, {panel, panel}, nullptr);
    for (std::size_t i = 0; i < rows + every - 1; i += every) {
      const std::size_t row = std::min(i, rows - 1);
      for (std::size_t head = 0; head < kHeads; ++head) {
        const std::size_t at = (head * rows + row) * d;
        expect_rows(pool, type, head, shape.cached + row / shape.group + 1, queries.data() + at, out.data() + at);
      }
    }
  }
}

void expect_prefill(const PrefillCase& shape, std::size_t every) {
  const std::vector<float> queries = gaussian(2 * shape.new_tokens * shape.group * shape.head_dim, 7);
  for (const Type type : {Type::kF32, Type::kF16, Type::kBf16})
    expect_prefill(shape, type, queries, scaled_queries(queries, shape.head_dim), every);
}

// 50 new tokens with 3 query heads are 150 rows: one whole block of 96 rows and a part.
TEST(Baselines, PrefillIsCausalAttentionWithEveryRegisterTile) { expect_prefill({128, 3, 50, 100}, 5); }

TEST(Baselines, PrefillAtTheEdgesOfTiles) {
  for (const std::size_t rows : {1, 15, 16, 17, 33}) {
    for (const std::size_t cached : {0, 62, 63, 64}) expect_prefill({64, 1, rows, cached}, 8);
  }
  expect_prefill({128, 17, 1, 63}, 8);
  expect_prefill({256, 1, 17, 64}, 8);
  expect_prefill({128, 5, 3, 255}, 7);
}

// With tile registers a block has 1024 rows, 512 if head_dim is 256.
TEST(Baselines, PrefillOfMoreThanABlock) {
  expect_prefill({64, 8, 130, 500}, 103);
  expect_prefill({256, 5, 104, 200}, 103);
}

// Queries so long that the largest score so far changes often and by much. They are rounded to bf16 beforehand, or else
// their rounding would count.
TEST(Baselines, PrefillFollowsTheMaximum) {
  constexpr PrefillCase kShape{128, 4, 10, 900};
  const float scale = 1.44269504f / std::sqrt(128.0f);
  std::vector<float> scaled = gaussian(2 * 40 * 128, 7), queries;
  for (float& x : scaled) x = stored(Type::kBf16, x * 2);
  for (const float x : scaled) queries.push_back(x / scale);
  expect_prefill(kShape, Type::kBf16, queries, scaled, 1);
}

// Integers keep every sum exact up to the last scaling by a power of two.
TEST(Baselines, TransformsMatchTheDefinition) {
  for (const std::size_t size : {4, 16, 64, 256, 1024}) {
    SCOPED_TRACE(size);
    std::vector<float> x(2 * size), expected(2 * size);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t row = i / size * size;
      float sum = 0;
      for (std::size_t j = 0; j < size; ++j) sum += __builtin_parityll((i - row) & j) != 0 ? -x[row + j] : x[row + j];
      expected[i] = sum / std::sqrt(static_cast<float>(size));
    }
    std::vector<float> tuned = x, naive = x;
    baselines().transform.tuned(tuned.data(), size, 2);
    baselines().transform.naive(naive.data(), size, 2);
    EXPECT_EQ(tuned, expected);
    EXPECT_EQ(naive, expected);
  }
}

TEST(Limits, ReadingTouchesEveryByte) {
  std::vector<std::uint8_t> data(1024, 0x5A);
  const std::uint64_t before = baselines().limits.read(data.data(), data.size());
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] ^= 1;
    EXPECT_NE(baselines().limits.read(data.data(), data.size()), before) << "byte " << i;
    data[i] ^= 1;
  }
}

TEST(Limits, LoopsCountTheirOperations) {
  const LimitTable& limits = baselines().limits;
  for (const auto loop : {limits.adds, limits.fmas, limits.dots}) {
    const double ten = loop(10);
    EXPECT_GE(ten, 10.0 * baselines().attention.lanes);
    EXPECT_EQ(loop(30), 3 * ten);
  }
}

TEST(Data, HalfPrecisionIsRoundedToNearestEven) {
  EXPECT_EQ(f16_of(1.0f), 0x3C00);
  EXPECT_EQ(f16_of(-2.0f), 0xC000);
  EXPECT_EQ(f16_of(0.0f), 0x0000);
  EXPECT_EQ(f16_of(65504.0f), 0x7BFF);
  EXPECT_EQ(f16_of(1.0f + 0x1p-11f), 0x3C00);      // a tie, to even
  EXPECT_EQ(f16_of(1.0f + 0x3p-11f), 0x3C02);      // the other tie
  EXPECT_EQ(f16_of(2.0f - 0x1p-12f), 0x4000);      // up into the next power of two
  EXPECT_EQ(f16_of(0x1p-24f), 0x0001);             // the smallest subnormal
  EXPECT_EQ(f16_of(0x1p-14f - 0x1p-26f), 0x0400);  // from the subnormals into the normal numbers
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits)
    ASSERT_EQ(f16_of(float_of_f16(static_cast<std::uint16_t>(bits))), bits);
  EXPECT_EQ(bf16_of(1.0f), 0x3F80);
  EXPECT_EQ(bf16_of(1.0f + 0x1p-8f), 0x3F80);
  EXPECT_EQ(bf16_of(1.0f + 0x3p-8f), 0x3F82);
}

}  // namespace
}  // namespace bench
