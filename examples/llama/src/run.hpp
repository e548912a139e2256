// One run of tq_llama. Everything is read and checked by the constructor, before anything long begins.
#pragma once

#include <string>
#include <vector>

#include "generate.hpp"
#include "model.hpp"
#include "options.hpp"
#include "report.hpp"
#include "tokenizer.hpp"

namespace llama {

class Run {
 public:
  explicit Run(const Options& options);

  void execute();  // prints as it goes

 private:
  void prepare_windows();
  void prepare_text();
  void prepare_check_text();
  void prepare_prompt();
  void prepare_json() const;
  std::filesystem::path text_path() const;

  void print_check_values();
  void print_evaluation();
  void print_continuations();
  Continuation print_continuation(const std::string& name, KvCache& cache);

  Options options_;
  Threads threads_;
  Model model_;
  Tokenizer tokenizer_;
  KvCache exact_, coded_;
  Report report_;
  std::vector<TokenId> text_, check_text_, prompt_;
};

}  // namespace llama
