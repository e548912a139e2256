// Reading tokenizer.json. It writes tokens as text in which each byte is one printable character.
#include <algorithm>
#include <utility>

#include "error.hpp"
#include "tokenizer.hpp"
#include "unicode.hpp"

namespace llama {
namespace {

using nlohmann::json;

constexpr TokenId kLargestPlausibleId = 1 << 24;

// A byte is written as the character of the same number if that is printable, else as one of U+0100 and up in order.
const std::unordered_map<char32_t, unsigned>& byte_of_character() {
  static const auto map = [] {
    std::unordered_map<char32_t, unsigned> result;
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      result[printable ? char32_t{byte} : next++] = byte;
    }
    return result;
  }();
  return map;
}

// The bytes an entry of the vocabulary stands for. One with other characters in it is an added token: plain text.
std::string bytes_of_entry(const std::string& entry) {
  std::string bytes;
  for (std::size_t i = 0; i < entry.size();) {
    const Character c = character_at(entry, i);
    const auto found = byte_of_character().find(c.code);
    if (c.bytes == 0 || found == byte_of_character().end()) return entry;
    bytes += static_cast<char>(found->second);
    i += c.bytes;
  }
  return bytes;
}

TokenId checked_id(const json& value, const std::string& entry) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kLargestPlausibleId)
    refuse("tokenizer.json gives '", entry, "' the id ", value.dump(), ": download the model folder again");
  return value.get<TokenId>();
}

void refuse_other_kinds(const json& tokenizer, const json& model) {
  if (model.value("type", "") != "BPE" || model.value("byte_fallback", false))
    refuse("tokenizer.json holds a ", model.value("type", "nameless"), " model",
           model.value("byte_fallback", false) ? " with byte_fallback" : "",
           ": this example reads byte-level BPE, the kind of GPT-2, Llama 3 and Qwen2; use such a model");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const json value = model.value(key, json()); value.is_string() && !value.get<std::string>().empty())
      refuse("tokenizer.json sets ", key, ", which byte-level BPE does not use: use a model of the kind of GPT-2");
  const json normalizer = tokenizer.value("normalizer", json());
  if (!normalizer.is_null() && normalizer.value("type", "") != "NFC")
    refuse("tokenizer.json has the normalizer ", normalizer.dump(), ": only NFC or none is known; use another model");
}

// A pair, or in older files one string with a space between the parts.
std::pair<std::string, std::string> merge_parts(const json& merge) {
  if (merge.is_array() && merge.size() == 2) return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  const std::string text = merge.get<std::string>();
  const std::size_t space = text.find(' ');
  if (space == std::string::npos)
    refuse("tokenizer.json has the merge ", merge.dump(), ", which has only one part: download the model folder again");
  return {text.substr(0, space), text.substr(space + 1)};
}

}  // namespace

Tokenizer::Tokenizer(const std::filesystem::path& tokenizer_json) {
  const json tokenizer = read_json(tokenizer_json, "--model's tokenizer.json");
  try {
    load(tokenizer);
  } catch (const json::exception& error) {
    refuse(tokenizer_json.string(), " does not look like a tokenizer.json (", error.what(), "): download it again");
  }
}

void Tokenizer::load(const json& tokenizer) {
  const json& model = tokenizer.at("model");
  refuse_other_kinds(tokenizer, model);
  splitter_ = PreSplitter(tokenizer.value("pre_tokenizer", json()));
  whole_words_first_ = model.value("ignore_merges", false);
  needs_nfc_ = !tokenizer.value("normalizer", json()).is_null();
  load_vocabulary(model.at("vocab"));
  load_merges(model.at("merges"), model.at("vocab"));
  load_added_tokens(tokenizer.value("added_tokens", json::array()));
}

void Tokenizer::load_vocabulary(const json& vocabulary) {
  for (const auto& [entry, id] : vocabulary.items()) set_bytes(checked_id(id, entry), bytes_of_entry(entry));
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto found = ids_.find(std::string(1, static_cast<char>(byte)));
    if (found == ids_.end())
      refuse("tokenizer.json has no token for the single byte ", byte,
             ": this example needs all 256; use another model");
    byte_ids_[byte] = found->second;
  }
}

void Tokenizer::load_merges(const json& merges, const json& vocabulary) {
  for (const json& merge : merges) {
    const auto [left, right] = merge_parts(merge);
    for (const std::string& part : {left, right, left + right})
      if (!vocabulary.contains(part))
        refuse("tokenizer.json merges into or out of '", part, "', which its vocab lacks: download the folder again");
    merges_.add(vocabulary[left].get<TokenId>(), vocabulary[right].get<TokenId>(),
                vocabulary[left + right].get<TokenId>());
  }
}

void Tokenizer::load_added_tokens(const json& list) {
  for (const json& token : list) {
    const auto text = token.at("content").get<std::string>();
    if (text.empty()) continue;
    if (token.value("lstrip", false) || token.value("rstrip", false) || token.value("single_word", false))
      refuse("tokenizer.json has the added token '", text,
             "' with lstrip, rstrip or single_word, which this example does not implement: use another model");
    const TokenId id = checked_id(token.at("id"), text);
    added_.push_back({text, id});
    starts_added_token_[static_cast<unsigned char>(text[0])] = true;
    set_bytes(id, text);
  }
  std::stable_sort(added_.begin(), added_.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.text.size() > b.text.size(); });
}

void Tokenizer::set_bytes(TokenId id, std::string bytes) {
  const auto index = static_cast<std::size_t>(id);
  if (index >= bytes_of_.size()) bytes_of_.resize(index + 1);
  ids_.emplace(bytes, id);
  bytes_of_[index] = std::move(bytes);
}

}  // namespace llama
