#include "pre_split.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "expect_refusal.hpp"

namespace llama {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

Words split(const PreSplitter& splitter, const std::string& text) {
  Words words;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = splitter.word_end(text, i);
    words.push_back(text.substr(i, end - i));
    i = end;
  }
  return words;
}

json byte_level(bool uses_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", uses_regex}};
}

json split_by(const std::string& digits) {
  const std::string pattern = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + digits +
                              R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const json step = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", {step, byte_level(false)}}};
}

// The expected words were made with version 0.23 of the Hugging Face tokenizers package.
TEST(PreSplit, Gpt2) {
  EXPECT_EQ(split(PreSplitter(byte_level(true)), "It's  WE'LL 12345\n\n x\t\u00e9\u5b57..."),
            (Words{"It", "'s", " ", " WE", "'", "LL", " 12345", "\n\n", " x", "\t", "\u00e9\u5b57", "..."}));
}

TEST(PreSplit, Llama3) {
  EXPECT_EQ(split(PreSplitter(split_by(R"(\p{N}{1,3})")), "It's  WE'LL 12345\n\n x\t\u00e9!?\n\n y"),
            (Words{"It", "'s", " ", " WE", "'LL", " ", "123", "45", "\n\n", " x", "\t\u00e9", "!?\n\n", " y"}));
}

TEST(PreSplit, Qwen2TakesDigitsOneByOne) {
  EXPECT_EQ(split(PreSplitter(split_by(R"(\p{N})")), "a 12 \n b  "), (Words{"a", " ", "1", "2", " \n", " b", "  "}));
}

TEST(PreSplit, IsolatedDigitsEndWhiteSpace) {
  const json steps = {{"type", "Sequence"},
                      {"pretokenizers", {{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)}}};
  EXPECT_EQ(split(PreSplitter(steps), "a  12 b"), (Words{"a", "  ", "1", "2", " b"}));
}

TEST(PreSplit, RefusesWhatItDoesNotKnow) {
  EXPECT_REFUSAL(PreSplitter(json{{"type", "Metaspace"}}), "Metaspace");
  EXPECT_REFUSAL(PreSplitter{json()}, "pre_tokenizer null");
  EXPECT_REFUSAL(PreSplitter(split_by(R"(\p{N}{1,4})")), "{1,4}");
}

}  // namespace
}  // namespace llama
