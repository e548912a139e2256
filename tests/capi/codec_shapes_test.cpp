// Head sizes, strides, element types, layouts and ranges of the codec.
#include <gtest/gtest.h>

#include "handles.hpp"

namespace tq_test {
namespace {

constexpr tq_format kCodedFormats[] = {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8};
constexpr tq_format kAllFormats[] = {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16};
constexpr std::uint32_t kLayouts[] = {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS};

// Gaps between codes are at most 15 of 61 units and scales at most 1/16 apart, so a value that sets the scale is coded
// to 4 % or better, and groups of Gaussian values to 0.2 of their norm even where few values share a scale: 0.04 of
// the energy of a vector. tq8 has steps of 1/127 of the largest value and at most twice that scale: below 1e-4 each.
double worst_error(tq_format format) { return format == TQ_FORMAT_TQ4 ? 0.04 : 1e-4; }

TEST(Codec, HandlesEveryHeadSize) {
  constexpr std::size_t kCount = 3;
  for (const tq_format format : kCodedFormats)
    for (std::uint32_t dim = 1; dim <= TQ_MAX_HEAD_DIM; ++dim) {
      const Codec records(codec_options(dim, format));
      const Codec blocks(codec_options(dim, format, 32, TQ_LAYOUT_BLOCKS));
      Random random(dim);
      const std::vector<float> vectors = gaussian(random, kCount * dim);
      for (const Codec* codec : {&records, &blocks}) {
        const std::vector<float> decoded = codec->decode(codec->encode(vectors), 0, kCount);
        for (std::size_t i = 0; i < kCount; ++i)
          ASSERT_LT(relative_squared_error(&decoded[i * dim], &vectors[i * dim], dim), worst_error(format))
              << "format " << format << ", head_dim " << dim << ", vector " << i;
      }
    }
}

// Short runs of the transform leave values where they were, long ones combine groups of different scales.
TEST(Codec, HandlesEveryRotationBlock) {
  constexpr std::size_t kCount = 3;
  for (const tq_format format : kCodedFormats)
    for (const std::uint32_t group_size : {64u, 32u})
      for (std::uint32_t dim = 1; dim <= TQ_MAX_HEAD_DIM; dim += dim < 140 ? 1 : 52)
        for (std::uint32_t block = 1; dim % block == 0; block *= 2) {
          tq_codec_options options = codec_options(dim, format, group_size);
          options.rotation_block = block;
          const Codec codec(options);
          Random random(dim);
          const std::vector<float> vectors = gaussian(random, kCount * dim);
          const std::vector<float> decoded = codec.decode(codec.encode(vectors), 0, kCount);
          for (std::size_t i = 0; i < kCount; ++i)
            ASSERT_LT(relative_squared_error(&decoded[i * dim], &vectors[i * dim], dim), worst_error(format))
                << "format " << format << ", group " << group_size << ", head_dim " << dim << ", rotation block "
                << block << ", vector " << i;
        }
}

// docs/format.md section 6.
std::size_t record_bytes(std::uint32_t dim, tq_format format, std::uint32_t group_size) {
  const std::size_t groups = (dim + group_size - 1) / group_size;
  if (format == TQ_FORMAT_TQ4) return (dim + 7) / 8 * 4 + groups + 1;
  if (format == TQ_FORMAT_TQ8) return (dim + 3) / 4 * 4 + groups + 1;
  return 2 * std::size_t{dim};
}

std::size_t block_bytes(std::uint32_t dim, tq_format format, std::uint32_t group_size) {
  const std::size_t groups = (dim + group_size - 1) / group_size;
  if (format == TQ_FORMAT_TQ4) return 64 + 64 * groups + 256 * ((dim + 7) / 8);
  if (format == TQ_FORMAT_TQ8) return 64 + 64 * groups + 256 * ((dim + 3) / 4);
  return 128 * std::size_t{dim};
}

TEST(Codec, TakesTheBytesThatTheFormatSays) {
  for (const tq_format format : kAllFormats)
    for (const std::uint32_t group_size : {64u, 32u})
      for (std::uint32_t dim = 1; dim <= TQ_MAX_HEAD_DIM; dim += dim < 140 ? 1 : 61) {
        SCOPED_TRACE(testing::Message() << "format " << format << ", group " << group_size << ", dim " << dim);
        const Codec records(codec_options(dim, format, group_size));
        const std::size_t record = record_bytes(dim, format, group_size);
        EXPECT_EQ(tq_codec_vector_bytes(records), record);
        EXPECT_EQ(tq_codec_encoded_bytes(records, 0), 0u);
        EXPECT_EQ(tq_codec_encoded_bytes(records, 77), 77 * record);
        const Codec blocks(codec_options(dim, format, group_size, TQ_LAYOUT_BLOCKS));
        const std::size_t block = block_bytes(dim, format, group_size);
        EXPECT_EQ(tq_codec_vector_bytes(blocks), (block + 63) / 64);
        EXPECT_EQ(tq_codec_encoded_bytes(blocks, 0), 0u);
        EXPECT_EQ(tq_codec_encoded_bytes(blocks, 1), block);
        EXPECT_EQ(tq_codec_encoded_bytes(blocks, 64), block);
        EXPECT_EQ(tq_codec_encoded_bytes(blocks, 65), 2 * block);
      }
  EXPECT_EQ(tq_codec_vector_bytes(Codec(codec_options(128))), 67u);
}

TEST(Codec, SizesAreZeroWithoutACodecAndOnOverflow) {
  EXPECT_EQ(tq_codec_vector_bytes(nullptr), 0u);
  EXPECT_EQ(tq_codec_encoded_bytes(nullptr, 3), 0u);
  for (const std::uint32_t layout : kLayouts) {
    const Codec codec(codec_options(128, TQ_FORMAT_TQ4, 64, layout));
    for (const std::size_t count : {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 66}) {
      SCOPED_TRACE(testing::Message() << "layout " << layout << ", count " << count);
      EXPECT_EQ(tq_codec_encoded_bytes(codec, count), 0u);
    }
  }
}

TEST(Codec, GivesTheSameBytesForTheSameValuesInEveryType) {
  for (const tq_format format : kAllFormats)
    for (const std::uint32_t layout : kLayouts)
      for (const std::uint32_t dim : {1u, 33u, 64u, 80u, 128u}) {
        SCOPED_TRACE(testing::Message() << "format " << format << ", layout " << layout << ", dim " << dim);
        const Codec codec(codec_options(dim, format, 64, layout));
        Random random(dim);
        const std::vector<float> values = eighths(random, 70 * std::size_t{dim});
        const Bytes f32 = codec.encode(Elements(TQ_F32, values), 70);
        EXPECT_EQ(f32, codec.encode(Elements(TQ_F16, values), 70));
        EXPECT_EQ(f32, codec.encode(Elements(TQ_BF16, values), 70));
      }
}

TEST(Codec, DoesNotRoundF32InputFirst) {
  const Codec codec(codec_options(64, TQ_FORMAT_TQ8));
  Random random(4);
  const std::vector<float> values = gaussian(random, 64 * 64);
  EXPECT_NE(codec.encode(Elements(TQ_F32, values), 64), codec.encode(Elements(TQ_BF16, values), 64));
}

TEST(Codec, ReadsStridedInput) {
  for (const tq_dtype dtype : {TQ_F32, TQ_F16, TQ_BF16})
    for (const std::size_t gap : {0, 1, 7, 64}) {
      SCOPED_TRACE(testing::Message() << dtype_name(dtype) << ", gap " << gap);
      constexpr std::size_t kDim = 80, kCount = 67;
      Random random(gap);
      const Elements dense(dtype, gaussian(random, kDim * kCount));
      Elements spread(dtype, (kDim + gap) * kCount);
      spread.fill(1e30f);  // would be refused in f16 (infinity) and would change the codes elsewhere
      for (std::size_t i = 0; i < kCount; ++i)
        for (std::size_t c = 0; c < kDim; ++c) spread.set(i * (kDim + gap) + c, dense[i * kDim + c]);
      for (const std::uint32_t layout : kLayouts) {
        const Codec codec(codec_options(kDim, TQ_FORMAT_TQ4, 64, layout));
        EXPECT_EQ(codec.encode(dense, kCount), codec.encode(spread, kCount, kDim + gap));
      }
    }
}

TEST(Codec, WritesStridedOutputAndNothingBetween) {
  constexpr std::size_t kDim = 40, kCount = 67, kStride = 47;
  Random random(5);
  for (const tq_format format : kAllFormats) {
    const Codec codec(codec_options(kDim, format));
    const Bytes codes = codec.encode(gaussian(random, kDim * kCount));
    const std::vector<float> expected = codec.decode(codes, 0, kCount);
    for (const tq_dtype dtype : {TQ_F32, TQ_F16, TQ_BF16}) {
      SCOPED_TRACE(testing::Message() << "format " << format << ", " << dtype_name(dtype));
      Elements out(dtype, kStride * kCount);
      out.fill(-77.0f);
      Error error;
      EXPECT_TQ_OK(tq_decode(codec, codes.data(), codes.size(), 0, kCount, out.data(), dtype, kStride, &error), error);
      for (std::size_t i = 0; i < kCount; ++i)
        for (std::size_t c = 0; c < kStride; ++c)
          ASSERT_EQ(out[i * kStride + c], c < kDim ? rounded(expected[i * kDim + c], dtype) : -77.0f) << i << ' ' << c;
    }
  }
}

TEST(Codec, DecodesAnyRange) {
  constexpr std::size_t kDim = 96, kCount = 200;
  Random random(6);
  const std::vector<float> vectors = gaussian(random, kDim * kCount);
  for (const tq_format format : kAllFormats)
    for (const std::uint32_t layout : kLayouts) {
      const Codec codec(codec_options(kDim, format, 64, layout));
      const Bytes codes = codec.encode(vectors);
      const std::vector<float> all = codec.decode(codes, 0, kCount);
      for (const std::size_t first : {0, 1, 63, 64, 65, 127, 199, 200})
        for (const std::size_t count : {0, 1, 2, 63, 64, 65, 130, 200}) {
          if (first + count > kCount) continue;
          SCOPED_TRACE(testing::Message()
                       << "format " << format << ", layout " << layout << ": " << first << " + " << count);
          const auto from = all.begin() + static_cast<std::ptrdiff_t>(first * kDim);
          const std::vector<float> expected(from, from + static_cast<std::ptrdiff_t>(count * kDim));
          ASSERT_EQ(codec.decode(codes, first, count), expected);
        }
    }
}

// The layouts differ in what shares an offset (a vector, a block); with vectors of like size that changes no value.
TEST(Codec, GivesTheSameValuesInBothLayouts) {
  for (const tq_format format : kAllFormats)
    for (const std::uint32_t group_size : {64u, 32u})
      for (const std::uint32_t dim : {1u, 8u, 33u, 80u, 128u, 200u, 256u}) {
        SCOPED_TRACE(testing::Message() << "format " << format << ", group " << group_size << ", dim " << dim);
        const Codec records(codec_options(dim, format, group_size, TQ_LAYOUT_VECTORS));
        const Codec blocks(codec_options(dim, format, group_size, TQ_LAYOUT_BLOCKS));
        Random random(dim);
        const std::vector<float> vectors = gaussian(random, 131 * std::size_t{dim});
        EXPECT_EQ(records.decode(records.encode(vectors), 0, 131), blocks.decode(blocks.encode(vectors), 0, 131));
      }
}

TEST(Codec, EncodesEachRecordOnItsOwn) {
  constexpr std::size_t kDim = 128, kCount = 70;
  const Codec codec(codec_options(kDim));
  Random random(7);
  const std::vector<float> vectors = gaussian(random, kDim * kCount);
  const Bytes together = codec.encode(vectors);
  Bytes one_by_one;
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto from = vectors.begin() + static_cast<std::ptrdiff_t>(i * kDim);
    const Bytes record = codec.encode(std::vector<float>(from, from + kDim));
    one_by_one.insert(one_by_one.end(), record.begin(), record.end());
  }
  EXPECT_EQ(together, one_by_one);
}

TEST(Codec, BytesDependOnTheSeed) {
  tq_codec_options options = codec_options(128);
  Random random(8);
  const std::vector<float> vectors = gaussian(random, 128);
  const Bytes first = Codec(options).encode(vectors);
  EXPECT_EQ(Codec(options).encode(vectors), first);
  options.seed += 1;
  EXPECT_NE(Codec(options).encode(vectors), first);
}

TEST(Codec, LeavesSpareBytesOfTheBufferAlone) {
  for (const tq_format format : kAllFormats)
    for (const std::uint32_t layout : kLayouts) {
      const Codec codec(codec_options(72, format, 64, layout));
      Random random(9);
      const std::vector<float> vectors = gaussian(random, 3 * 72);
      Bytes codes(tq_codec_encoded_bytes(codec, 3) + 100, 0xAB);
      EXPECT_EQ(tq_encode(codec, vectors.data(), TQ_F32, 0, 3, codes.data(), codes.size(), nullptr), TQ_OK);
      for (std::size_t i = codes.size() - 100; i < codes.size(); ++i) ASSERT_EQ(codes[i], 0xAB) << i;
    }
}

TEST(Codec, AcceptsNoVectors) {
  for (const std::uint32_t layout : kLayouts) {
    const Codec codec(codec_options(64, TQ_FORMAT_TQ4, 64, layout));
    float vector[64] = {}, score = 5.0f;
    std::uint8_t code = 7;
    EXPECT_EQ(tq_encode(codec, vector, TQ_F32, 0, 0, &code, 0, nullptr), TQ_OK);
    EXPECT_EQ(tq_encode(codec, nullptr, TQ_F32, 0, 0, nullptr, 0, nullptr), TQ_OK);
    EXPECT_EQ(tq_decode(codec, nullptr, 0, 0, 0, nullptr, TQ_F32, 0, nullptr), TQ_OK);
    EXPECT_EQ(tq_scores(codec, nullptr, 0, 0, vector, 1, nullptr, nullptr), TQ_OK);
    EXPECT_EQ(tq_scores(codec, &code, 1, 0, vector, 0, &score, nullptr), TQ_OK);
    EXPECT_EQ(code, 7);
    EXPECT_EQ(score, 5.0f);
  }
}

}  // namespace
}  // namespace tq_test
