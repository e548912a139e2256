#include "tensors.hpp"

#include <gtest/gtest.h>

#include "config.hpp"
#include "expect_refusal.hpp"
#include "files.hpp"
#include "temporary_folder.hpp"

namespace llama {
namespace {

using nlohmann::json;

std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

const std::string kFourBytes("\x00\x3c\x00\xc0", 4);  // 1 and -2 in f16

TEST(Tensors, ReadsTheThreeTypes) {
  const TemporaryFolder folder;
  folder.write("model.safetensors",
               file_of(R"({"__metadata__":{"format":"pt"},"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"BF16","shape":[2,1],"data_offsets":[4,8]},)"
                       R"("f":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                       kFourBytes + std::string("\x40\xc0\x80\x3f\x00\x00\x20\x41", 8)));
  const Tensors tensors(folder.path());
  EXPECT_EQ(tensors.load("h", {2}), (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(tensors.load("b", {2, 1}), (std::vector<float>{-3.0f, 1.0f}));
  EXPECT_EQ(tensors.load("f", {1}), (std::vector<float>{10.0f}));
  EXPECT_REFUSAL(tensors.load("h", {4}), "has the shape [2], but config.json asks for [4]");
  EXPECT_REFUSAL(tensors.load("g", {4}), "no tensor g");
}

TEST(Tensors, EveryTruncationIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = file_of(entry("F16", "[2]", "[0,4]"), kFourBytes);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    folder.write("model.safetensors", whole.substr(0, size));
    EXPECT_REFUSAL(Tensors(folder.path()), "copy it again");
  }
}

TEST(Tensors, EveryWrongByteOfTheHeaderIsRefusedOrHarmless) {
  const TemporaryFolder folder;
  const std::string whole = file_of(entry("F16", "[2]", "[0,4]"), kFourBytes);
  for (std::size_t i = 0; i < whole.size() - 4; ++i)
    for (const char wrong : {'\0', '9', '"', '[', '\xff'}) {
      std::string damaged = whole;
      damaged[i] = wrong;
      folder.write("model.safetensors", damaged);
      try {
        Tensors(folder.path()).load("a", {2});
      } catch (const BadInput&) {
      }
    }
}

TEST(Tensors, RefusesEntriesThatCannotBe) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& header, const char* words) {
    folder.write("model.safetensors", file_of(header, kFourBytes));
    EXPECT_REFUSAL(Tensors(folder.path()), words);
  };
  refused("[1]", "not a JSON object");
  refused("{\"a\":3}", "without shape");
  refused(entry("I64", "[2]", "[0,4]"), "type 'I64'");
  refused(entry("F16", "[-2]", "[0,4]"), "without shape");
  refused(entry("F16", "[2]", "[0]"), "without shape");
  refused(entry("F16", "[2]", "[4,0]"), "lies at bytes 4 to 0");
  refused(entry("F16", "[2]", "[2,6]"), "lies at bytes 2 to 6");
  refused(entry("F16", "[3]", "[0,4]"), "cut off or damaged");
  refused(entry("F16", "[4294967296,4294967296,2]", "[0,4]"), "more elements");
  refused(entry("F16", "[9223372036854775809,2]", "[0,4]"), "more elements");
}

TEST(Tensors, ShardsStayInTheFolder) {
  const TemporaryFolder folder;
  EXPECT_REFUSAL(Tensors(folder.path()), "neither model.safetensors nor");
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"../a.safetensors"}})");
  EXPECT_REFUSAL(Tensors(folder.path()), "must lie in the model's folder");
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"1.safetensors"}})");
  EXPECT_REFUSAL(Tensors(folder.path()), "1.safetensors, which cannot be opened");
  folder.write("1.safetensors", file_of(entry("F16", "[2]", "[0,4]"), kFourBytes));
  EXPECT_EQ(Tensors(folder.path()).load("a", {2}), (std::vector<float>{1.0f, -2.0f}));
}

TEST(TokenIds, DamagedFilesAreRefused) {
  const TemporaryFolder folder;
  const std::string good = read_file(std::filesystem::path(LLAMA_TEST_MODEL) / "tok_valid.npy", "ids");
  for (const std::size_t size : {0, 5, 9, 60})
    EXPECT_REFUSAL(read_token_ids(folder.write("x.npy", good.substr(0, size)), 10), "x.npy");
  EXPECT_EQ(read_token_ids(folder.write("x.npy", good.substr(0, 132)), 10).size(), 2u);
}

// The embedded model's config with one change.
void expect_config_refusal(const json& change, const char* words) {
  const TemporaryFolder folder;
  json config = read_json(std::filesystem::path(LLAMA_TEST_MODEL) / "config.json", "config");
  config.update(change);
  folder.write("config.json", config.dump());
  EXPECT_REFUSAL(read_config(folder.path()), words);
}

TEST(Config, RefusalsNameTheKeyAndTheValue) {
  expect_config_refusal({{"architectures", {"GPT2LMHeadModel"}}}, "the architecture GPT2LMHeadModel");
  expect_config_refusal({{"num_hidden_layers", 0}}, "num_hidden_layers 0");
  expect_config_refusal({{"hidden_size", "wide"}}, "hidden_size \"wide\"");
  expect_config_refusal({{"num_key_value_heads", 3}}, "3 key-value heads");
  expect_config_refusal({{"head_dim", 63}}, "head_dim of 63");
  expect_config_refusal({{"hidden_act", "gelu"}}, "hidden_act gelu");
  expect_config_refusal({{"quantization_config", {{"bits", 4}}}}, "quantization_config");
  expect_config_refusal({{"rope_parameters", {{"rope_type", "yarn"}}}}, "of type yarn");
  expect_config_refusal({{"vocab_size", nullptr}}, "no vocab_size");
  EXPECT_REFUSAL(read_config("no/such/folder"), "--model is no/such/folder, which is not a folder");
}

}  // namespace
}  // namespace llama
