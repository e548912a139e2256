#include "run.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "error.hpp"
#include "terminal.hpp"

namespace llama {
namespace {

namespace fs = std::filesystem;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string name_of_folder(const fs::path& folder) {
  const fs::path name = fs::weakly_canonical(folder);
  return name.has_filename() ? name.filename().string() : name.string();
}

unsigned thread_count(const Options& options) {
  return options.threads != 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
}

const CacheChoice& checked(const CacheChoice& choice, const Config& config) {
  if (choice.rotation_block != 0 && config.head_dim % choice.rotation_block != 0)
    refuse("--rotation-block is ", choice.rotation_block, ", which does not divide the model's head_dim ",
           config.head_dim, ": give a power of two that does, or 0 for the largest");
  return choice;
}

}  // namespace

Run::Run(const Options& options)
    : options_(options),
      threads_(thread_count(options)),
      model_(options.model, threads_),
      tokenizer_(options.model / "tokenizer.json"),
      exact_(model_.cache_shape(), CacheChoice::exact_16bit(), threads_),
      coded_(model_.cache_shape(), checked(options.cache, model_.config()), threads_) {
  report_.model = name_of_folder(options.model);
  report_.config = model_.config();
  report_.choice = options.cache;
  report_.threads = threads_.count();
  prepare_windows();
  if (options.evaluate) prepare_text();
  if (options.check_values) prepare_check_text();
  if (options.generate) prepare_prompt();
  if (!options.json.empty()) prepare_json();
}

void Run::prepare_windows() {
  const std::size_t most = model_.config().max_positions;
  report_.windows = {options_.windows, options_.context.value_or(std::min<std::size_t>(1024, most))};
  if (report_.windows.context > most)
    refuse("--context is ", report_.windows.context, ", but the model has ", most, " positions: give at most ", most);
}

fs::path Run::text_path() const {
  if (!options_.text.empty()) return options_.text;
  const fs::path own = options_.model / "heldout.txt";
  if (!fs::exists(own))
    refuse("--text is missing, and ", options_.model.string(), " has no heldout.txt to read instead: give a text file");
  return own;
}

void Run::prepare_text() {
  const fs::path path = text_path();
  const Windows& windows = report_.windows;
  text_ = tokenizer_.encode(read_file(path, "--text"), "--text " + path.string(), windows.text_tokens());
  if (text_.size() < windows.text_tokens())
    refuse("--text ", path.string(), " has ", text_.size(), " tokens, but ", windows.count, " windows of ",
           windows.context, " need ", windows.text_tokens(),
           ": give a longer text, fewer --windows or a smaller --context");
  report_.text = path.filename().string();
}

// Published check values are those of the token ids beside the model, if there are any.
void Run::prepare_check_text() {
  if (model_.config().max_positions < CheckValues::kLong)
    refuse("--check-values needs ", CheckValues::kLong, " positions, and the model has ", model_.config().max_positions,
           ": leave it out");
  const fs::path ids = options_.model / "tok_valid.npy", text = fs::exists(ids) ? ids : text_path();
  check_text_ = fs::exists(ids) ? read_token_ids(ids, CheckValues::kTokensNeeded)
                                : tokenizer_.encode(read_file(text, "--text"), "--text " + text.string());
  if (check_text_.size() < CheckValues::kTokensNeeded)
    refuse("--check-values needs ", CheckValues::kTokensNeeded, " tokens, and ", text.string(), " has ",
           check_text_.size(), ": give a longer --text");
}

void Run::prepare_prompt() {
  prompt_ = tokenizer_.encode(options_.prompt, "--prompt");
  prompt_.insert(prompt_.begin(), model_.config().bos);
  const std::size_t most = model_.config().max_positions;
  if (prompt_.size() + options_.tokens > most)
    refuse("--tokens is ", options_.tokens, " and --prompt has ", prompt_.size(),
           " tokens with BOS, but the model has ", most, " positions: give fewer --tokens or a shorter --prompt");
}

void Run::prepare_json() const {
  if (!options_.evaluate) refuse("--json has nothing to write with --no-evaluate: leave one of them out");
  if (!std::ofstream(options_.json, std::ios::app))
    refuse("--json is ", options_.json.string(), ", which cannot be written: give a path in a folder of yours");
}

void Run::execute() {
  print(heading(report_));
  if (options_.check_values) print_check_values();
  if (options_.evaluate) print_evaluation();
  if (!options_.json.empty()) write_json(report_, options_.json);
  if (options_.generate) print_continuations();
}

void Run::print_check_values() {
  report_.check = check_values(model_, check_text_, exact_);
  print(sentence("\n", check_lines(*report_.check)));
}

void Run::print_evaluation() {
  {
    ProgressLine line("reading with both caches");
    report_.evaluation = evaluate(model_, threads_, text_, report_.windows, exact_, coded_,
                                  [&](std::size_t done, std::size_t all) { line.update(done, all); });
  }
  print(sentence("\n", table(report_)));
}

void Run::print_continuations() {
  print(sentence("\n[prompt] ", options_.prompt, "\n"));
  const Continuation exact = print_continuation("16-bit cache", exact_);
  const Continuation coded = print_continuation(cache_name(options_.cache), coded_);

  const std::size_t difference = first_difference(exact.tokens, coded.tokens);
  if (difference == exact.tokens.size() && difference == coded.tokens.size())
    print(sentence("\nBoth wrote the same ", difference, " tokens.\n"));
  else
    print(sentence("\nThe first ", difference,
                   " tokens are the same; from there on every token depends on another past.\n"));
}

Continuation Run::print_continuation(const std::string& name, KvCache& cache) {
  print(sentence("\n[", name, "]"));
  Continuation written = generate(model_, cache, prompt_, options_.tokens,
                                  Sampler(options_.temperature, options_.top_p, options_.sampling_seed),
                                  [&](TokenId token) { print(tokenizer_.decode(token)); });
  print(sentence("\n[", written.tokens.size(), " tokens, ", milliseconds(written.time.total), " each]\n"));
  return written;
}

}  // namespace llama
