// Profiles: what the golden files say, what is refused and how, and that no text whatsoever does harm.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include "golden.hpp"
#include "handles.hpp"

// Goes on only if the call has succeeded.
#define ASSERT_TQ_OK(expression, error) ASSERT_EQ(expression, TQ_OK) << #expression << ": " << (error).message

namespace tq_test {
namespace {

struct Destroy {
  void operator()(tq_profile* profile) const { tq_profile_destroy(profile); }
};
using Profile = std::unique_ptr<tq_profile, Destroy>;

std::string golden_path(const std::string& file) { return TQ_GOLDEN_DIR "/v1/" + file; }

std::string content_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.is_open()) << path;
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string example() { return content_of(golden_path("profiles/read_the_example_of_the_documentation.json")); }

tq_status parse(const std::string& text, Profile& profile, Error& error, const char* fingerprint = nullptr) {
  tq_profile* made = nullptr;
  const tq_status status = tq_profile_parse(text.data(), text.size(), fingerprint, &made, &error);
  EXPECT_EQ(status == TQ_OK, made != nullptr);
  profile.reset(made);
  return status;
}

Profile parsed(const std::string& text) {
  Profile profile;
  Error error;
  EXPECT_TQ_OK(parse(text, profile, error), error);
  return profile;
}

tq_layer_options layer_of(const tq_profile* profile, std::uint32_t layer) {
  tq_layer_options options;
  tq_layer_options_init(&options, sizeof options);
  Error error;
  EXPECT_TQ_OK(tq_profile_layer(profile, layer, &options, &error), error);
  return options;
}

// A cache of the profile's layers.
void expect_cache(const tq_profile* profile) {
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  Error error;
  ASSERT_TQ_OK(tq_profile_cache_options(profile, &options, &error), error);
  EXPECT_EQ(options.layer_count, tq_profile_layer_count(profile));
  for (std::uint32_t i = 0; i < options.layer_count; ++i) {
    const tq_layer_options layer = layer_of(profile, i);
    EXPECT_EQ(std::memcmp(options.layers + i, &layer, sizeof layer), 0) << "layer " << i;
  }
  tq_cache* cache = nullptr;
  EXPECT_TQ_OK(tq_cache_create(&options, &cache, &error), error);
  tq_cache_destroy(cache);
}

class GoldenProfile : public testing::TestWithParam<golden::Json> {
 protected:
  std::string path() const { return golden_path(GetParam().at("file")); }
  const char* fingerprint() const {
    const golden::Json& given = GetParam().at("fingerprint");
    return given.is_null() ? nullptr : given.get_ref<const std::string&>().c_str();
  }
  bool is_read() const { return GetParam().at("status") == "TQ_OK"; }

  void expect_content(const tq_profile* profile) const {
    EXPECT_EQ(tq_profile_name(profile), GetParam().at("model_name").get<std::string>());
    EXPECT_EQ(tq_profile_fingerprint(profile), GetParam().at("model_fingerprint").get<std::string>());
    const golden::Json& layers = GetParam().at("layers");
    ASSERT_EQ(tq_profile_layer_count(profile), layers.size());
    for (std::uint32_t i = 0; i < layers.size(); ++i) {
      const tq_layer_options layer = layer_of(profile, i), expected = golden::layer(layers[i]);
      EXPECT_EQ(std::memcmp(&layer, &expected, sizeof layer), 0) << "layer " << i << " is not " << layers[i];
    }
    expect_cache(profile);
  }

  void expect_refusal(tq_status status, const Error& error, const std::string& source) const {
    EXPECT_EQ(tq_status_name(status), GetParam().at("status"));
    EXPECT_EQ(error.status, status);
    const std::string message = error.message;
    EXPECT_NE(message.find(source + ": "), std::string::npos) << message;
    for (const std::string words : GetParam().at("message"))
      EXPECT_NE(message.find(words), std::string::npos) << "no '" << words << "' in: " << message;
  }
};

TEST_P(GoldenProfile, FromAFile) {
  auto* const untouched = reinterpret_cast<tq_profile*>(this);
  tq_profile* made = untouched;
  Error error;
  const tq_status status = tq_profile_load(path().c_str(), fingerprint(), &made, &error);
  if (is_read()) {
    ASSERT_TQ_OK(status, error);
    const Profile profile(made);
    return expect_content(profile.get());
  }
  expect_refusal(status, error, std::filesystem::path(path()).filename());
  EXPECT_EQ(made, untouched) << "out was written";
  EXPECT_EQ(tq_profile_load(path().c_str(), fingerprint(), &made, nullptr), status);
}

TEST_P(GoldenProfile, FromText) {
  Profile profile;
  Error error;
  const tq_status status = parse(content_of(path()), profile, error, fingerprint());
  if (is_read()) {
    ASSERT_TQ_OK(status, error);
    return expect_content(profile.get());
  }
  expect_refusal(status, error, "text");
}

INSTANTIATE_TEST_SUITE_P(All, GoldenProfile, testing::ValuesIn(golden::cases("profiles.json")));

// ---- Arguments ------------------------------------------------------------------------------------------------------

TEST(BadProfileCall, NullIsRefusedByName) {
  const std::string text = example();
  tq_profile* made = nullptr;
  Error error;
  const auto bad = [&](tq_status status, const char* name) {
    return refused(status, error, TQ_ERR_INVALID_ARGUMENT, name, "NULL");
  };
  EXPECT_TRUE(bad(tq_profile_load(nullptr, nullptr, &made, &error), "path"));
  EXPECT_TRUE(bad(tq_profile_load("a.json", nullptr, nullptr, &error), "out"));
  EXPECT_TRUE(bad(tq_profile_parse(nullptr, 0, nullptr, &made, &error), "text"));
  EXPECT_TRUE(bad(tq_profile_parse(text.data(), text.size(), nullptr, nullptr, &error), "out"));
  EXPECT_EQ(made, nullptr);

  const Profile profile = parsed(text);
  tq_layer_options layer;
  tq_layer_options_init(&layer, sizeof layer);
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  EXPECT_TRUE(bad(tq_profile_layer(nullptr, 0, &layer, &error), "profile"));
  EXPECT_TRUE(bad(tq_profile_layer(profile.get(), 0, nullptr, &error), "out"));
  EXPECT_TRUE(bad(tq_profile_cache_options(nullptr, &options, &error), "profile"));
  EXPECT_TRUE(bad(tq_profile_cache_options(profile.get(), nullptr, &error), "options"));
  EXPECT_EQ(options.layers, nullptr);

  EXPECT_STREQ(tq_profile_name(nullptr), "");
  EXPECT_STREQ(tq_profile_fingerprint(nullptr), "");
  EXPECT_EQ(tq_profile_layer_count(nullptr), 0u);
  tq_profile_destroy(nullptr);
}

TEST(BadProfileCall, LayersOutOfRangeAndStructsOfNoSizeAreRefused) {
  const Profile profile = parsed(example());
  Error error;
  tq_layer_options layer;
  for (const std::uint32_t index : {4u, UINT32_MAX}) {
    tq_layer_options_init(&layer, sizeof layer);
    EXPECT_TRUE(refused(tq_profile_layer(profile.get(), index, &layer, &error), error, TQ_ERR_INVALID_ARGUMENT, "layer",
                        std::to_string(index)));
    EXPECT_EQ(layer.kv_heads, 0u) << "out was written";
  }
  for (const std::uint32_t size : {0u, 55u, 70000u}) {
    layer.struct_size = size;
    EXPECT_TRUE(refused(tq_profile_layer(profile.get(), 0, &layer, &error), error, TQ_ERR_INVALID_ARGUMENT,
                        "struct_size", std::to_string(size)));
    tq_cache_options options{};
    options.struct_size = size;
    EXPECT_TRUE(refused(tq_profile_cache_options(profile.get(), &options, &error), error, TQ_ERR_INVALID_ARGUMENT,
                        "struct_size", std::to_string(size)));
  }
}

// A program of a later version brings longer structs.
TEST(Profile, LongerStructsKeepTheirSizeAndTheirEnd) {
  const Profile profile = parsed(example());
  struct {
    tq_layer_options known;
    std::uint64_t later;
  } longer;
  Error error;
  tq_layer_options_init(&longer.known, sizeof longer);
  EXPECT_TQ_OK(tq_profile_layer(profile.get(), 0, &longer.known, &error), error);
  EXPECT_EQ(longer.known.struct_size, sizeof longer);
  EXPECT_EQ(longer.known.key_format, static_cast<tq_format>(TQ_FORMAT_TQ8));
  EXPECT_EQ(longer.later, 0u);
  longer.later = 1;
  EXPECT_TRUE(refused(tq_profile_layer(profile.get(), 0, &longer.known, &error), error, TQ_ERR_UNSUPPORTED, "out"));
}

TEST(Profile, OtherCacheOptionsStay) {
  const Profile profile = parsed(example());
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  options.byte_budget = 12345;
  options.layers_given = 1;
  options.allocator.user = &options;
  Error error;
  EXPECT_TQ_OK(tq_profile_cache_options(profile.get(), &options, &error), error);
  EXPECT_EQ(options.byte_budget, 12345u);
  EXPECT_EQ(options.layers_given, 0u);
  EXPECT_EQ(options.allocator.user, &options);
}

// ---- Files ----------------------------------------------------------------------------------------------------------

class ProfileFile : public testing::Test {
 protected:
  ProfileFile() : folder_(std::filesystem::temp_directory_path() / ("tq_profile_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ProfileFile() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  tq_status load(const std::string& path) {
    tq_profile* made = nullptr;
    const tq_status status = tq_profile_load(path.c_str(), nullptr, &made, &error_);
    tq_profile_destroy(made);
    return status;
  }

  std::filesystem::path folder_;
  Error error_;
};

TEST_F(ProfileFile, ThatIsNotThereIsNotFound) {
  EXPECT_TRUE(refused(load(folder_ / "none.json"), error_, TQ_ERR_NOT_FOUND, "none.json", "No such file"));
  const std::string file = write("file", "{}");
  EXPECT_TRUE(refused(load(file + "/x.json"), error_, TQ_ERR_NOT_FOUND, "file/x.json"));
  EXPECT_TRUE(refused(load(""), error_, TQ_ERR_NOT_FOUND, "cannot be read"));
}

TEST_F(ProfileFile, ThatIsAFolderIsRefused) {
  EXPECT_TRUE(refused(load(folder_), error_, TQ_ERR_INVALID_ARGUMENT, "tq_profile_", "directory"));
}

TEST_F(ProfileFile, OfMoreThanAMebibyteIsRefused) {
  std::string text = example();
  text.resize(TQ_MAX_PROFILE_BYTES, ' ');
  EXPECT_TQ_OK(load(write("fits.json", text)), error_);
  EXPECT_TRUE(
      refused(load(write("long.json", text + " ")), error_, TQ_ERR_CORRUPT_DATA, "long.json: longer", "1048576"));
  EXPECT_TRUE(refused(load("/dev/zero"), error_, TQ_ERR_CORRUPT_DATA, "/dev/zero: longer"));
}

TEST_F(ProfileFile, OfALongPathIsNamedByItsEnd) {
  const std::string long_name = std::string(200, 'a') + "/" + std::string(60, 'b') + ".json";
  EXPECT_TRUE(refused(load(write(long_name, "{")), error_, TQ_ERR_CORRUPT_DATA, std::string(60, 'b') + ".json: not"));
}

// ---- Any text -------------------------------------------------------------------------------------------------------

void expect_harmless(const std::string& text) {
  const std::set<tq_status> expected = {TQ_OK, TQ_ERR_CORRUPT_DATA, TQ_ERR_UNSUPPORTED};
  Profile profile;
  Error error;
  const tq_status status = parse(text, profile, error);
  EXPECT_TRUE(expected.contains(status)) << tq_status_name(status) << ": " << error.message << "\n" << text;
  EXPECT_EQ(status == TQ_OK, error.message[0] == '\0');
  if (profile && tq_profile_layer_count(profile.get()) < 100) expect_cache(profile.get());
}

TEST(AnyText, CutOffAnywhereIsDamaged) {
  const std::string text = example();
  for (std::size_t length = 0; length + 2 < text.size(); ++length) {
    Profile profile;
    Error error;
    EXPECT_TRUE(refused(parse(text.substr(0, length), profile, error), error, TQ_ERR_CORRUPT_DATA, "text: not JSON"));
  }
}

TEST(AnyText, WithOneByteChangedIsReadOrRefused) {
  const std::string text = example();
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const char byte : {'\0', '0', '9', '-', '"', '{', '}', '[', ']', ',', ':', 'e', ' ', '\xff'}) {
      std::string changed = text;
      changed[at] = byte;
      expect_harmless(changed);
    }
}

TEST(AnyText, NestedAMillionDeepIsRefused) {
  for (const std::string open : {"[", "{\"a\":"}) {
    std::string text;
    while (text.size() + open.size() <= TQ_MAX_PROFILE_BYTES) text += open;
    Profile profile;
    Error error;
    EXPECT_TRUE(refused(parse(text, profile, error), error, TQ_ERR_CORRUPT_DATA, "nested more than 32 deep"));
  }
}

TEST(AnyText, OfMostLayersAndMostFieldsIsReadInGoodTime) {
  std::string text = R"({"format": "libturboquant-profile", "version": 1, "model": {"name": "m", "fingerprint": "f",)"
                     R"("layer_count": 65536}, "defaults": {"kv_heads": 1, "key_dim": 1}, "layers": [{"layer": 65535})";
  for (std::uint32_t layer = 0; text.size() + 40 < TQ_MAX_PROFILE_BYTES; ++layer)
    text += ",{\"layer\":" + std::to_string(layer) + ",\"window\":9}";
  const Profile profile = parsed(text + "]}");
  EXPECT_EQ(tq_profile_layer_count(profile.get()), 65536u);
  EXPECT_EQ(layer_of(profile.get(), 30000).window, 9u);
  EXPECT_EQ(layer_of(profile.get(), 65535).window, 0u);

  text = R"({"format": "libturboquant-profile", "version": 1, "notes": {"n": 0)";
  for (std::uint32_t name = 0; text.size() + 40 < TQ_MAX_PROFILE_BYTES; ++name)
    text += ",\"" + std::to_string(name) + "\":0";
  Profile none;
  Error error;
  EXPECT_TRUE(refused(parse(text + "}}", none, error), error, TQ_ERR_CORRUPT_DATA, "model is missing"));
}

}  // namespace
}  // namespace tq_test
