// --profile: the cache it describes, and what is refused beside a model it was not made for.
#include <gtest/gtest.h>

#include "expect_refusal.hpp"
#include "kv_cache.hpp"
#include "temporary_folder.hpp"

namespace llama {
namespace {

class ProfileOfAModel : public testing::Test {
 protected:
  // A cache of the profile with 200 tokens in every layer, for a model of 3 layers with 2 heads of 64.
  tq_cache_statistics filled(const std::string& layer_count, const std::string& defaults, const std::string& layers) {
    return filled(write(layer_count, defaults, layers));
  }
  tq_cache_statistics filled(const std::filesystem::path& profile) {
    CacheChoice choice;
    choice.profile = profile;
    return fill(choice);
  }
  tq_cache_statistics fill(const CacheChoice& choice) {
    KvCache cache({3, 4, 2, 64}, choice, threads_);
    const std::vector<std::uint16_t> ones(200 * 2 * 64, 0x3c00);
    const std::vector<float> query(200 * 4 * 64, 1.0f);
    std::vector<float> output(query.size());
    for (std::size_t layer = 0; layer < 3; ++layer)
      cache.extend(layer, {200, ones.data(), ones.data()}, query.data(), output.data());
    EXPECT_EQ(output[0], 1.0f);
    return cache.statistics();
  }
  std::filesystem::path write(const std::string& layer_count, const std::string& defaults, const std::string& layers) {
    return folder_.write("profile.json",
                         R"({"format": "libturboquant-profile", "version": 1, "model": {"name": "tiny",)"
                         R"("fingerprint": "f", "layer_count": )" +
                             layer_count + "}, \"defaults\": {" + defaults + "}, \"layers\": [" + layers + "]}");
  }

  TemporaryFolder folder_;
  Threads threads_{1};
};

constexpr const char* kShape = R"("kv_heads": 2, "key_dim": 64)";

TEST_F(ProfileOfAModel, WithNothingButShapesIsTheDefault) {
  const tq_cache_statistics profile = filled("3", kShape, ""), plain = fill(CacheChoice());
  EXPECT_EQ(profile.bytes, plain.bytes);
  EXPECT_EQ(profile.coded_bytes, plain.coded_bytes);
  EXPECT_EQ(profile.tokens, 600u);
}

TEST_F(ProfileOfAModel, DescribesLayersApart) {
  const std::uint64_t plain = filled("3", kShape, "").coded_bytes;
  const std::uint64_t one = filled("3", kShape, R"({"layer": 1, "key_format": "tq8"})").coded_bytes;
  const std::uint64_t all = filled("3", std::string(kShape) + R"(, "key_format": "tq8")", "").coded_bytes;
  EXPECT_GT(one, plain);
  EXPECT_EQ(all - plain, 3 * (one - plain));
}

TEST_F(ProfileOfAModel, IsRefusedForAnotherModel) {
  EXPECT_REFUSAL(filled("4", kShape, ""), "is for tiny, a model of 4 layers, but this one has 3");
  EXPECT_REFUSAL(filled("3", kShape, R"({"layer": 2, "kv_heads": 4})"), "layer 2 has 4 key-value heads of 64 and 64");
  EXPECT_REFUSAL(filled("3", kShape, R"({"layer": 0, "key_dim": 128})"),
                 "layer 0 has 2 key-value heads of 128 and 128");
  EXPECT_REFUSAL(filled("3", kShape, R"({"layer": 0, "value_dim": 32})"), "of 64 and 32 numbers, but the model has 2");
  EXPECT_REFUSAL(filled("3", kShape, R"({"layer": 1, "window": 100})"), "layer 1 has a sliding window of 100 tokens");
}

TEST_F(ProfileOfAModel, IsRefusedIfItCannotBeRead) {
  EXPECT_REFUSAL(filled("3", std::string(kShape) + R"(, "bits": 4)", ""), "defaults.bits is not a field");
  EXPECT_REFUSAL(filled("3", std::string(kShape) + R"(, "sink_tokens": 65)", ""), "sink_tokens is 65");
  EXPECT_REFUSAL(filled(folder_.path() / "none.json"), "--profile: ");
  EXPECT_REFUSAL(filled(folder_.path() / "none.json"), "none.json: cannot be read: No such file");
}

}  // namespace
}  // namespace llama
