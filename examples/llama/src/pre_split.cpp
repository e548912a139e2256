#include "pre_split.hpp"

#include <string>

#include "error.hpp"
#include "unicode.hpp"

namespace llama {
namespace {

using nlohmann::json;

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Read access to one text: classes of characters and runs of them.
struct Scanner {
  std::string_view text;

  bool is(std::size_t i, CharClass wanted) const {
    const Character c = character_at(text, i);
    return c.bytes != 0 && char_class(c.code) == wanted;
  }
  bool is_newline(std::size_t i) const { return i < text.size() && (text[i] == '\r' || text[i] == '\n'); }
  std::size_t next(std::size_t i) const { return i + character_at(text, i).bytes; }

  std::size_t run_end(std::size_t i, CharClass wanted, std::size_t most = std::string_view::npos) const {
    for (; most > 0 && is(i, wanted); --most) i = next(i);
    return i;
  }

  // 's 't 're 've 'm 'll 'd: how many bytes of one there are at i, or 0.
  std::size_t contraction(std::size_t i, bool any_case) const {
    if (text[i] != '\'') return 0;
    if (any_case && text.substr(i + 1, 2) == "\u017f") return 3;  // the long s is a small s in another dress
    const auto letter = [&](std::size_t at) {
      const char c = at < text.size() ? text[at] : '\0';
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char first = letter(i + 1), second = letter(i + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    const bool pair = (second == 'e' && (first == 'r' || first == 'v')) || (first == 'l' && second == 'l');
    return pair ? 3 : 0;
  }

  // \s+(?!\S)|\s+ : all of the white space at the end of the text, elsewhere all but its last character, which goes to
  // the word that follows; unless it is the only one.
  std::size_t space_end(std::size_t start) const {
    std::size_t end = start, last = start;
    while (is(end, CharClass::kSpace)) {
      last = end;
      end = next(end);
    }
    return end == text.size() || last == start ? end : last;
  }
};

std::size_t gpt2_word_end(const Scanner& scan, std::size_t start) {
  if (const std::size_t bytes = scan.contraction(start, /*any_case=*/false)) return start + bytes;
  const std::size_t begin = scan.text[start] == ' ' ? start + 1 : start;
  for (const CharClass kind : {CharClass::kLetter, CharClass::kNumber, CharClass::kOther})
    if (scan.is(begin, kind)) return scan.run_end(begin, kind);
  return scan.space_end(start);
}

std::size_t llama3_word_end(const Scanner& scan, std::size_t start, std::size_t digits_at_once) {
  if (const std::size_t bytes = scan.contraction(start, /*any_case=*/true)) return start + bytes;
  if (scan.is(start, CharClass::kLetter)) return scan.run_end(start, CharClass::kLetter);
  if (scan.is(start, CharClass::kNumber)) return scan.run_end(start, CharClass::kNumber, digits_at_once);
  if (!scan.is_newline(start) && scan.is(scan.next(start), CharClass::kLetter))
    return scan.run_end(scan.next(start), CharClass::kLetter);

  const std::size_t begin = scan.text[start] == ' ' ? start + 1 : start;
  if (scan.is(begin, CharClass::kOther)) {
    std::size_t end = scan.run_end(begin, CharClass::kOther);
    while (scan.is_newline(end)) ++end;
    return end;
  }
  std::size_t after_newline = start;
  for (std::size_t i = start; scan.is(i, CharClass::kSpace); i = scan.next(i))
    if (scan.is_newline(i)) after_newline = i + 1;
  return after_newline > start ? after_newline : scan.space_end(start);
}

bool is_byte_level(const json& step, bool uses_regex) {
  return step.is_object() && step.value("type", "") == "ByteLevel" && step.value("use_regex", true) == uses_regex &&
         !step.value("add_prefix_space", true);
}

}  // namespace

PreSplitter::PreSplitter(const json& pre_tokenizer) {
  if (is_byte_level(pre_tokenizer, true)) return;
  if (pre_tokenizer.is_object() && pre_tokenizer.value("type", "") == "Sequence") {
    const json steps = pre_tokenizer.value("pretokenizers", json::array());
    const json first = steps.size() == 2 ? steps[0] : json::object(),
               last = steps.size() == 2 ? steps[1] : json::object();
    const std::string type = first.value("type", "");
    if (type == "Digits" && first.value("individual_digits", false) && is_byte_level(last, true)) {
      isolate_digits_ = true;
      return;
    }
    const std::string pattern = type == "Split" ? first.value("pattern", json::object()).value("Regex", "") : "";
    const bool isolated = first.value("behavior", "") == "Isolated" && !first.value("invert", false);
    if ((pattern == kLlama3Pattern || pattern == kQwen2Pattern) && isolated && is_byte_level(last, false)) {
      style_ = Style::kLlama3;
      digits_at_once_ = pattern == kLlama3Pattern ? 3 : 1;
      return;
    }
  }
  refuse("tokenizer.json has the pre_tokenizer ", pre_tokenizer.dump(),
         ": this example knows those of GPT-2, Llama 3, Qwen2 and SmolLM2; use a model with one of these");
}

std::size_t PreSplitter::word_end(std::string_view text, std::size_t start) const {
  if (style_ == Style::kLlama3) return llama3_word_end({text}, start, digits_at_once_);
  const Scanner scan{text};
  if (isolate_digits_) {  // the text is cut before GPT-2's pattern sees it, so white space before a digit ends a text
    if (scan.is(start, CharClass::kNumber)) return scan.next(start);
    const std::size_t end = scan.run_end(start, CharClass::kSpace);
    if (end > start && scan.is(end, CharClass::kNumber)) return end;
  }
  return gpt2_word_end(scan, start);
}

}  // namespace llama
