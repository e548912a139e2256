// What the codec functions refuse, and that the message names the argument and the value.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "handles.hpp"

namespace tq_test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::size_t kHuge = SIZE_MAX / 2;

struct BadOption {
  const char* name;
  const char* value;
  tq_status status;
  std::function<void(tq_codec_options&)> spoil;
};

const std::vector<BadOption> kBadOptions = {
    {"head_dim", "0", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.head_dim = 0; }},
    {"head_dim", "1025", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.head_dim = 1025; }},
    {"head_dim", "4294967295", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.head_dim = UINT32_MAX; }},
    {"format", "0", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.format = 0; }},
    {"format", "5", TQ_ERR_UNSUPPORTED, [](auto& o) { o.format = 5; }},
    {"format", "6", TQ_ERR_UNSUPPORTED, [](auto& o) { o.format = 6; }},
    {"format", "99", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.format = 99; }},
    {"group_size", "0", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.group_size = 0; }},
    {"group_size", "16", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.group_size = 16; }},
    {"group_size", "65", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.group_size = 65; }},
    {"rotation_block", "3", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.rotation_block = 3; }},
    {"rotation_block", "32", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.rotation_block = 32; }},
    {"rotation_block", "2147483648", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.rotation_block = 1u << 31; }},
    {"scale_search", "2", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.scale_search = 2; }},
    {"layout", "2", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.layout = 2; }},
    {"reserved", "7", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.reserved = 7; }},
    {"allocator", "", TQ_ERR_INVALID_ARGUMENT,
     [](auto& o) { o.allocator.allocate = [](void*, std::size_t, std::size_t) -> void* { return nullptr; }; }},
    {"allocator", "", TQ_ERR_INVALID_ARGUMENT, [](auto& o) { o.allocator.release = [](void*, void*, std::size_t) {}; }},
};

TEST(BadCodecOptions, AreRefusedByName) {
  for (const BadOption& bad : kBadOptions) {
    SCOPED_TRACE(std::string(bad.name) + " = " + bad.value);
    tq_codec_options options = codec_options(80);
    bad.spoil(options);
    auto* const untouched = reinterpret_cast<tq_codec*>(&options);
    tq_codec* codec = untouched;
    Error error;
    EXPECT_TRUE(refused(tq_codec_create(&options, &codec, &error), error, bad.status, bad.name, bad.value));
    EXPECT_EQ(tq_codec_create(&options, &codec, nullptr), bad.status);
    EXPECT_EQ(codec, untouched) << "out was written";
  }
}

TEST(BadCodecOptions, NullIsRefusedByName) {
  const tq_codec_options options = codec_options(64);
  tq_codec* codec = nullptr;
  Error error;
  EXPECT_TRUE(refused(tq_codec_create(nullptr, &codec, &error), error, TQ_ERR_INVALID_ARGUMENT, "options", "NULL"));
  EXPECT_TRUE(refused(tq_codec_create(&options, nullptr, &error), error, TQ_ERR_INVALID_ARGUMENT, "out", "NULL"));
  EXPECT_EQ(tq_codec_create(nullptr, nullptr, nullptr), TQ_ERR_INVALID_ARGUMENT);
  tq_codec_destroy(nullptr);
}

class BadCodecCall : public testing::Test {
 protected:
  static constexpr std::size_t kDim = 64, kCount = 3;

  BadCodecCall() : codec_(codec_options(kDim)), vectors_(kDim * kCount, 1.0f), codes_(codec_.encode(vectors_)) {}

  tq_status encode(const void* vectors, tq_dtype dtype, std::size_t stride, std::size_t count, std::size_t size) {
    return tq_encode(codec_, vectors, dtype, stride, count, codes_.data(), size, &error_);
  }
  tq_status decode(std::size_t first, std::size_t count, tq_dtype dtype, std::size_t stride, std::size_t size) {
    return tq_decode(codec_, codes_.data(), size, first, count, vectors_.data(), dtype, stride, &error_);
  }

  Codec codec_;
  std::vector<float> vectors_;
  Bytes codes_;
  Error error_;
};

TEST_F(BadCodecCall, ValuesThatCannotBeCodedAreRefusedWithTheirIndex) {
  const Bytes before = codes_;
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16})
    for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS})
      for (const tq_dtype dtype : {TQ_F32, TQ_F16, TQ_BF16})
        for (const float bad : {kNaN, -kNaN, kInfinity, -kInfinity, 0x1.1p60f, -3e38f})
          for (const std::size_t at : {0, 63, 64, 100, 191}) {
            if (dtype == TQ_F16 && std::isfinite(bad)) continue;  // rounds to infinity
            SCOPED_TRACE(testing::Message() << "format " << format << ", layout " << layout << ", " << dtype_name(dtype)
                                            << ", " << bad << " at " << at);
            const Codec codec(codec_options(kDim, format, 64, layout));
            Elements vectors(dtype, vectors_);
            vectors.set(at, bad);
            Bytes codes(tq_codec_encoded_bytes(codec, kCount), 0xAB);
            const Bytes untouched = codes;
            EXPECT_TRUE(refused(tq_encode(codec, vectors.data(), dtype, 0, kCount, codes.data(), codes.size(), &error_),
                                error_, TQ_ERR_INVALID_ARGUMENT, std::to_string(at / kDim), std::to_string(at % kDim)));
            EXPECT_EQ(codes, untouched) << "codes were written";
          }
}

TEST_F(BadCodecCall, TheLargestMagnitudeItselfIsAccepted) {
  for (const float value : {TQ_MAX_MAGNITUDE, -TQ_MAX_MAGNITUDE}) {
    vectors_[5] = value;
    EXPECT_EQ(encode(vectors_.data(), TQ_F32, 0, kCount, codes_.size()), TQ_OK) << error_.message;
  }
  const Codec f16(codec_options(kDim, TQ_FORMAT_F16));
  Bytes codes(tq_codec_encoded_bytes(f16, 1));
  vectors_[5] = 65504.0f;
  EXPECT_EQ(tq_encode(f16, vectors_.data(), TQ_F32, 0, 1, codes.data(), codes.size(), &error_), TQ_OK);
  vectors_[5] = 65505.0f;
  EXPECT_TRUE(refused(tq_encode(f16, vectors_.data(), TQ_F32, 0, 1, codes.data(), codes.size(), &error_), error_,
                      TQ_ERR_INVALID_ARGUMENT, "coordinate 5", "65505"));
}

TEST_F(BadCodecCall, SizesAndStridesAreRefusedByNameAndValue) {
  const void* vectors = vectors_.data();
  const std::size_t size = codes_.size();
  EXPECT_TRUE(refused(encode(vectors, 0, 0, kCount, size), error_, TQ_ERR_INVALID_ARGUMENT, "dtype", "0"));
  EXPECT_TRUE(refused(encode(vectors, 4, 0, kCount, size), error_, TQ_ERR_INVALID_ARGUMENT, "dtype", "4"));
  EXPECT_TRUE(refused(encode(vectors, TQ_F32, 63, kCount, size), error_, TQ_ERR_INVALID_ARGUMENT, "stride", "63"));
  EXPECT_TRUE(refused(encode(vectors, TQ_F32, 0, kCount, size - 1), error_, TQ_ERR_BUFFER_TOO_SMALL, "codes_size",
                      std::to_string(size)));
  EXPECT_TRUE(refused(encode(vectors, TQ_F32, 0, kHuge, size), error_, TQ_ERR_INVALID_ARGUMENT, "count",
                      std::to_string(kHuge)));
  EXPECT_TRUE(refused(encode(vectors, TQ_F32, kHuge, kCount, size), error_, TQ_ERR_INVALID_ARGUMENT, "stride",
                      std::to_string(kHuge)));
  EXPECT_TRUE(refused(decode(0, kCount, 9, 0, size), error_, TQ_ERR_INVALID_ARGUMENT, "dtype", "9"));
  EXPECT_TRUE(refused(decode(0, kCount, TQ_F32, 63, size), error_, TQ_ERR_INVALID_ARGUMENT, "stride", "63"));
  EXPECT_TRUE(refused(decode(0, kCount, TQ_F32, 0, size - 1), error_, TQ_ERR_BUFFER_TOO_SMALL, "codes_size",
                      std::to_string(size)));
  EXPECT_TRUE(
      refused(decode(1, kCount, TQ_F32, 0, size), error_, TQ_ERR_BUFFER_TOO_SMALL, "codes_size", std::to_string(size)));
  EXPECT_TRUE(refused(decode(SIZE_MAX, 2, TQ_F32, 0, size), error_, TQ_ERR_INVALID_ARGUMENT, "first",
                      std::to_string(SIZE_MAX)));
  EXPECT_TRUE(
      refused(decode(0, kHuge, TQ_F32, 0, size), error_, TQ_ERR_INVALID_ARGUMENT, "count", std::to_string(kHuge)));
}

TEST_F(BadCodecCall, NullIsRefusedByName) {
  void* codes = codes_.data();
  const std::size_t size = codes_.size();
  float* rows = vectors_.data();
  const auto null = [&](tq_status status, const char* name) {
    return refused(status, error_, TQ_ERR_INVALID_ARGUMENT, name, "NULL");
  };
  EXPECT_TRUE(null(tq_encode(nullptr, rows, TQ_F32, 0, 1, codes, size, &error_), "codec"));
  EXPECT_TRUE(null(tq_encode(codec_, nullptr, TQ_F32, 0, 1, codes, size, &error_), "vectors"));
  EXPECT_TRUE(null(tq_encode(codec_, rows, TQ_F32, 0, 1, nullptr, size, &error_), "codes"));
  EXPECT_TRUE(null(tq_decode(nullptr, codes, size, 0, 1, rows, TQ_F32, 0, &error_), "codec"));
  EXPECT_TRUE(null(tq_decode(codec_, nullptr, size, 0, 1, rows, TQ_F32, 0, &error_), "codes"));
  EXPECT_TRUE(null(tq_decode(codec_, codes, size, 0, 1, nullptr, TQ_F32, 0, &error_), "vectors"));
  EXPECT_TRUE(null(tq_rotate(nullptr, rows, 1, &error_), "codec"));
  EXPECT_TRUE(null(tq_rotate(codec_, nullptr, 1, &error_), "rows"));
  EXPECT_TRUE(null(tq_unrotate(nullptr, rows, 1, &error_), "codec"));
  EXPECT_TRUE(null(tq_unrotate(codec_, nullptr, 1, &error_), "rows"));
  EXPECT_TRUE(null(tq_scores(nullptr, codes, size, 1, rows, 1, rows, &error_), "codec"));
  EXPECT_TRUE(null(tq_scores(codec_, nullptr, size, 1, rows, 1, rows, &error_), "codes"));
  EXPECT_TRUE(null(tq_scores(codec_, codes, size, 1, nullptr, 1, rows, &error_), "queries"));
  EXPECT_TRUE(null(tq_scores(codec_, codes, size, 1, rows, 1, nullptr, &error_), "scores"));
  EXPECT_TRUE(null(tq_fwht(nullptr, 64, 1, &error_), "data"));
}

TEST_F(BadCodecCall, CountsThatOverflowAreRefused) {
  float* rows = vectors_.data();
  EXPECT_TRUE(refused(tq_rotate(codec_, rows, kHuge, &error_), error_, TQ_ERR_INVALID_ARGUMENT, "count",
                      std::to_string(kHuge)));
  EXPECT_TRUE(refused(tq_unrotate(codec_, rows, kHuge, &error_), error_, TQ_ERR_INVALID_ARGUMENT, "count",
                      std::to_string(kHuge)));
  EXPECT_TRUE(
      refused(tq_fwht(rows, 64, kHuge, &error_), error_, TQ_ERR_INVALID_ARGUMENT, "count", std::to_string(kHuge)));
  EXPECT_TRUE(refused(tq_scores(codec_, codes_.data(), codes_.size(), 3, rows, kHuge, rows, &error_), error_,
                      TQ_ERR_INVALID_ARGUMENT, "n_query", std::to_string(kHuge)));
  EXPECT_TRUE(refused(tq_scores(codec_, codes_.data(), codes_.size(), kHuge, rows, 1, rows, &error_), error_,
                      TQ_ERR_INVALID_ARGUMENT, "count", std::to_string(kHuge)));
  EXPECT_TRUE(refused(tq_scores(codec_, codes_.data(), codes_.size() - 1, 3, rows, 1, rows, &error_), error_,
                      TQ_ERR_BUFFER_TOO_SMALL, "codes_size", std::to_string(codes_.size())));
}

TEST(BadFwht, SizesOtherThanPowersOfTwoUpTo1024AreRefused) {
  std::vector<float> data(4096, 1.0f);
  const std::vector<float> before = data;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{3}, std::size_t{96}, std::size_t{1023}, std::size_t{2048}, SIZE_MAX}) {
    Error error;
    EXPECT_TRUE(
        refused(tq_fwht(data.data(), size, 1, &error), error, TQ_ERR_INVALID_ARGUMENT, "size", std::to_string(size)));
    EXPECT_EQ(tq_fwht(data.data(), size, 1, nullptr), TQ_ERR_INVALID_ARGUMENT);
  }
  EXPECT_EQ(data, before);
}

}  // namespace
}  // namespace tq_test
