#include "options.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <functional>

#include "error.hpp"

#ifndef LLAMA_DEFAULT_MODEL
#define LLAMA_DEFAULT_MODEL "model"
#endif

namespace llama {
namespace {

constexpr const char* kModelVariable = "TQ_LLAMA_MODEL";

// One option: how it is written, what --help says, and what it does with its value ("" for a switch).
struct Option {
  std::string name, value_name, help;
  std::function<void(Options&, const std::string& value)> set;
  bool of_cache = false;  // says what the compressed cache is like
};

constexpr bool kOfCache = true;

template <class Number>
Number number(const std::string& option, const std::string& value, Number least, Number most) {
  Number result{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size() || !(result >= least && result <= most))
    refuse(option, " is '", value, "': give a number from ", least, " to ", most);
  return result;
}

tq_format format(const std::string& option, const std::string& value) {
  if (value == "tq4") return TQ_FORMAT_TQ4;
  if (value == "tq8") return TQ_FORMAT_TQ8;
  if (value == "f16") return TQ_FORMAT_F16;
  refuse(option, " is '", value, "': give tq4, tq8 or f16");
}

std::uint32_t group_size(const std::string& value) {
  if (value != "64" && value != "32") refuse("--group is '", value, "': give 64 or 32");
  return value == "64" ? 64 : 32;
}

std::uint32_t rotation_block(const std::string& value) {
  const auto size = number<std::uint32_t>("--rotation-block", value, 0, 1024);
  if (size != 0 && !std::has_single_bit(size))
    refuse("--rotation-block is ", size,
           ": give a power of two that divides the model's head_dim, or 0 for the largest");
  return size;
}

template <class Number>
auto store(Number Options::*field, const char* option, Number least, Number most) {
  return [=](Options& o, const std::string& value) { o.*field = number<Number>(option, value, least, most); };
}

using Value = const std::string&;
constexpr std::uint64_t kAnySeed = ~std::uint64_t{0};
constexpr std::size_t kMany = 1u << 24;

const std::vector<Option>& option_list() {
  static const std::vector<Option> list = {
      {"--model", "DIR", "Hugging Face folder: config.json, tokenizer.json, *.safetensors",
       [](Options& o, Value v) { o.model = v; }},
      {"--text", "FILE", "UTF-8 text to read (default: heldout.txt in the model's folder)",
       [](Options& o, Value v) { o.text = v; }},
      {"--context", "N", "tokens per window, BOS included (default: 1024, or the model's limit)",
       [](Options& o, Value v) { o.context = number<std::size_t>("--context", v, 2, kMany); }},
      {"--windows", "N", "windows to read from the start of the text (default: 4)",
       store<std::size_t>(&Options::windows, "--windows", 1, kMany)},
      {"--prompt", "TEXT", "what to write on from", [](Options& o, Value v) { o.prompt = v; }},
      {"--tokens", "N", "tokens to write (default: 160)", store<std::size_t>(&Options::tokens, "--tokens", 1, kMany)},
      {"--temperature", "T", "of the draws (default: 0.7); 0 writes the most likely token",
       store<double>(&Options::temperature, "--temperature", 0.0, 100.0)},
      {"--top-p", "P", "share of probability that tokens are drawn from (default: 0.95)",
       store<double>(&Options::top_p, "--top-p", 0.0, 1.0)},
      {"--sampling-seed", "N", "of the random draws (default: 1)",
       store<std::uint64_t>(&Options::sampling_seed, "--sampling-seed", 0, kAnySeed)},
      {"--json", "PATH", "write the numbers as one flat JSON object", [](Options& o, Value v) { o.json = v; }},
      {"--threads", "N", "default: as many as the machine has",
       store<unsigned>(&Options::threads, "--threads", 1, 1024)},
      {"--check-values", "", "also print the fp32 check values that model authors publish",
       [](Options& o, Value) { o.check_values = true; }},
      {"--no-evaluate", "", "do not read the text", [](Options& o, Value) { o.evaluate = false; }},
      {"--no-generate", "", "do not write on from the prompt", [](Options& o, Value) { o.generate = false; }},
      {"--profile", "FILE", "JSON file with the cache options of every layer, instead of those below",
       [](Options& o, Value v) { o.cache.profile = v; }},
      {"--key-format", "F", "tq4 (default), tq8 or f16",
       [](Options& o, Value v) { o.cache.key_format = format("--key-format", v); }, kOfCache},
      {"--value-format", "F", "tq4 (default), tq8 or f16",
       [](Options& o, Value v) { o.cache.value_format = format("--value-format", v); }, kOfCache},
      {"--group", "64|32", "values per scale (default: 64)",
       [](Options& o, Value v) { o.cache.group_size = group_size(v); }, kOfCache},
      {"--sinks", "N", "first tokens kept in 16 bit, 0 to 64 (default: 4)",
       [](Options& o, Value v) { o.cache.sink_tokens = number<std::uint32_t>("--sinks", v, 0, 64); }, kOfCache},
      {"--recent-blocks", "N", "complete blocks of 64 kept in 16 bit, 0 to 1024 (default: 0)",
       [](Options& o, Value v) { o.cache.recent_blocks = number<std::uint32_t>("--recent-blocks", v, 0, 1024); },
       kOfCache},
      {"--no-centering", "", "code keys as they are, not relative to the mean key of their block",
       [](Options& o, Value) { o.cache.center_keys = false; }, kOfCache},
      {"--no-scale-search", "", "take scales from the norm instead of searching the best of seven",
       [](Options& o, Value) { o.cache.scale_search = false; }, kOfCache},
      {"--no-tail", "", "worst case: queries see codes of all but the sinks, even of their own block",
       [](Options& o, Value) { o.cache.no_tail = true; }, kOfCache},
      {"--rotation-block", "N", "a power of two that divides head_dim; 0 (default): the largest",
       [](Options& o, Value v) { o.cache.rotation_block = rotation_block(v); }, kOfCache},
      {"--seed", "N", "of the random signs of the rotation (default: the library's)",
       [](Options& o, Value v) { o.cache.seed = number<std::uint64_t>("--seed", v, 0, kAnySeed); }, kOfCache},
      {"--help", "", "this text", [](Options& o, Value) { o.help = true; }},
  };
  return list;
}

const Option& find_option(const std::string& name) {
  for (const Option& option : option_list())
    if (option.name == (name == "-h" ? "--help" : name)) return option;
  refuse("'", name, "' is not an option of tq_llama: run tq_llama --help for the list");
}

// A profile says it all; that an option beside it would be ignored must not pass unnoticed.
void check_profile(const Options& options, const std::string& cache_option) {
  if (!options.cache.profile.empty() && !cache_option.empty())
    refuse("--profile says what the cache is like: leave out ", cache_option, ", or --profile");
}

std::filesystem::path default_model() {
  const char* chosen = std::getenv(kModelVariable);
  return chosen != nullptr && *chosen != '\0' ? chosen : LLAMA_DEFAULT_MODEL;
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  options.model = default_model();
  std::string cache_option;  // the last that was given
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::size_t equals = arguments[i].find('=');
    const bool has_value = arguments[i].starts_with("--") && equals != std::string::npos;
    const Option& option = find_option(has_value ? arguments[i].substr(0, equals) : arguments[i]);
    if (option.of_cache) cache_option = option.name;
    if (option.value_name.empty()) {
      if (has_value) refuse(option.name, " takes no value: write it without '", arguments[i].substr(equals), "'");
      option.set(options, "");
    } else if (has_value) {
      option.set(options, arguments[i].substr(equals + 1));
    } else if (i + 1 < arguments.size()) {
      option.set(options, arguments[++i]);
    } else {
      refuse(option.name, " has no value: write ", option.name, " ", option.value_name);
    }
  }
  check_profile(options, cache_option);
  return options;
}

std::string help_text() {
  std::string text =
      "tq_llama: reads a text and writes on from a prompt, with a 16-bit KV cache and with one\n"
      "compressed by libturboquant, and says what the compression saves and costs.\n\n"
      "  tq_llama                                  the small model that comes with this example\n"
      "  tq_llama --model DIR --text FILE          a Llama, Mistral, Qwen2 or Qwen3 model of yours\n\nOptions\n";
  for (const Option& option : option_list()) {
    std::string left = "  " + option.name + (option.value_name.empty() ? "" : " " + option.value_name);
    left.resize(std::max<std::size_t>(left.size() + 2, 24), ' ');
    text += left + option.help + "\n";
  }
  return text + "\nThe environment variable " + kModelVariable +
         " names another default for --model. TQ_CPU_TARGET caps\n" +
         "the instruction set of the library: baseline, avx2, avx512, avx512_vnni, avx512_amx or neon.\n" +
         "Exit code 2 means that an argument was refused.\n";
}

}  // namespace llama
