// Byte-level BPE from tokenizer.json: text to token ids and back.
#pragma once

#include <array>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bpe.hpp"
#include "files.hpp"
#include "pre_split.hpp"

namespace llama {

class Tokenizer {
 public:
  explicit Tokenizer(const std::filesystem::path& tokenizer_json);

  // The ids of `text`, without BOS; at least the first `limit` of them if there are that many, and then few more.
  // `what` names the text should it be refused.
  std::vector<TokenId> encode(std::string_view text, std::string_view what = "the text",
                              std::size_t limit = std::numeric_limits<std::size_t>::max()) const;

  // The bytes that tokens stand for; a character may be spread over several tokens.
  const std::string& decode(TokenId id) const { return bytes_of_.at(static_cast<std::size_t>(id)); }
  std::string decode(const std::vector<TokenId>& ids) const;

  TokenId largest_id() const { return static_cast<TokenId>(bytes_of_.size()) - 1; }

 private:
  struct AddedToken {
    std::string text;
    TokenId id;
  };

  // tokenizer_load.cpp
  void load(const nlohmann::json& tokenizer);
  void load_vocabulary(const nlohmann::json& vocabulary);
  void load_merges(const nlohmann::json& merges, const nlohmann::json& vocabulary);
  void load_added_tokens(const nlohmann::json& list);
  void set_bytes(TokenId id, std::string bytes);

  const AddedToken* added_token_at(std::string_view text) const;
  void encode_word(std::string_view word, std::vector<TokenId>& ids) const;

  PreSplitter splitter_;
  MergeTable merges_;
  bool whole_words_first_ = false;  // "ignore_merges": a word that is itself a token is not built by merging
  bool needs_nfc_ = false;
  std::array<TokenId, 256> byte_ids_{};
  std::vector<std::string> bytes_of_;             // by id
  std::unordered_map<std::string, TokenId> ids_;  // by bytes
  std::vector<AddedToken> added_;                 // longest first
  std::array<bool, 256> starts_added_token_{};    // by first byte
};

}  // namespace llama
