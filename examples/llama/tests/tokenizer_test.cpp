#include "tokenizer.hpp"

#include <gtest/gtest.h>

#include "expect_refusal.hpp"
#include "temporary_folder.hpp"

namespace llama {
namespace {

using Ids = std::vector<TokenId>;
const std::filesystem::path kModel = LLAMA_TEST_MODEL;

const Tokenizer& embedded() {
  static const Tokenizer tokenizer(kModel / "tokenizer.json");
  return tokenizer;
}

// Ids from version 0.23 of the Hugging Face tokenizers package.
TEST(Tokenizer, KnownIds) {
  EXPECT_EQ(embedded().encode("It was a dark and stormy night, and"),
            (Ids{847, 320, 259, 285, 727, 280, 344, 283, 77, 89, 877, 12, 280}));
  EXPECT_EQ(embedded().encode("<|endoftext|>Hello\n\ncaf\u00e9 1891!"),
            (Ids{0, 40, 463, 79, 199, 199, 67, 65, 70, 128, 103, 700, 24, 25, 17, 1}));
  EXPECT_EQ(embedded().encode("\u5b57\U0001f600"), (Ids{162, 256, 246, 173, 254, 247, 223}));
  EXPECT_EQ(embedded().encode("\n\n\n  x"), (Ids{199, 199, 199, 221, 221, 88}));
  EXPECT_EQ(embedded().encode(""), Ids{});
}

TEST(Tokenizer, HeldOutTextHasThePublishedIds) {
  const Ids published = read_token_ids(kModel / "tok_valid.npy", 4200);
  Ids ids = embedded().encode(read_file(kModel / "heldout.txt", "text"));
  ASSERT_GE(ids.size(), published.size());
  ids.resize(published.size());
  EXPECT_EQ(ids, published);
}

TEST(Tokenizer, EveryTextComesBack) {
  std::string every_character;
  for (unsigned byte = 1; byte < 0x80; ++byte) every_character += static_cast<char>(byte);
  for (unsigned code = 0x80; code < 0x800; ++code) {
    every_character += static_cast<char>(0xc0 | code >> 6);
    every_character += static_cast<char>(0x80 | (code & 0x3f));
  }
  for (const std::string& text : {every_character, std::string(5000, '-'), std::string("  \r\n\t <|endoftext|><|endof"),
                                  read_file(kModel / "heldout.txt", "text")})
    EXPECT_EQ(embedded().decode(embedded().encode(text)), text);
}

TEST(Tokenizer, ALimitCutsTheSameIdsShort) {
  const std::string text = read_file(kModel / "heldout.txt", "text");
  const Ids all = embedded().encode(text), some = embedded().encode(text, "the text", 100);
  ASSERT_GE(some.size(), 100u);
  EXPECT_LT(some.size(), 150u);
  EXPECT_EQ(some, Ids(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(some.size())));
}

TEST(Tokenizer, InvalidUtf8IsRefusedWithItsPlace) {
  for (const char* text : {"ab\xff", "ab\xc0\x80", "ab\xed\xa0\x80", "ab\xe4\xbd", "ab\xf4\x90\x80\x80", "ab\x80"})
    EXPECT_REFUSAL(embedded().encode(text, "--text x"), "--text x is not valid UTF-8 at byte 2");
}

// The embedded tokenizer.json with one change in its model, or at its top.
void expect_refusal_of(const nlohmann::json& patch, const char* words) {
  const TemporaryFolder folder;
  nlohmann::json changed = read_json(kModel / "tokenizer.json", "tokenizer");
  changed.merge_patch(patch);
  EXPECT_REFUSAL(Tokenizer(folder.write("tokenizer.json", changed.dump())), words);
}

TEST(Tokenizer, RefusesOtherKindsAndDamage) {
  expect_refusal_of({{"model", {{"type", "Unigram"}}}}, "Unigram");
  expect_refusal_of({{"model", {{"byte_fallback", true}}}}, "byte_fallback");
  expect_refusal_of({{"normalizer", {{"type", "Lowercase"}}}}, "Lowercase");
  expect_refusal_of({{"pre_tokenizer", {{"type", "Metaspace"}}}}, "Metaspace");
  expect_refusal_of({{"model", {{"vocab", {{"!", nullptr}}}}}}, "no token for the single byte 33");
  expect_refusal_of({{"model", {{"vocab", {{"!", -1}}}}}}, "'!' the id -1");
  expect_refusal_of({{"model", {{"vocab", {{"he", nullptr}}}}}}, "'he'");
  expect_refusal_of({{"model", {{"merges", {"he"}}}}}, "only one part");
  expect_refusal_of({{"model", {{"merges", {3}}}}}, "does not look like a tokenizer.json");
  expect_refusal_of({{"model", nullptr}}, "does not look like a tokenizer.json");
}

TEST(Tokenizer, NfcIsRefusedOnlyWhereItWouldMatter) {
  const TemporaryFolder folder;
  nlohmann::json changed = read_json(kModel / "tokenizer.json", "tokenizer");
  changed["normalizer"] = {{"type", "NFC"}};
  const Tokenizer tokenizer(folder.write("tokenizer.json", changed.dump()));
  EXPECT_EQ(tokenizer.encode("caf\u00e9 \u5b57"), embedded().encode("caf\u00e9 \u5b57"));
  EXPECT_REFUSAL(tokenizer.encode("cafe\u0301"), "at byte 4");
}

}  // namespace
}  // namespace llama
