// The command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kv_cache.hpp"

namespace llama {

struct Options {
  std::filesystem::path model;         // default: $TQ_LLAMA_MODEL, else the model beside this example
  std::filesystem::path text;          // empty: heldout.txt in the model's folder
  std::optional<std::size_t> context;  // default: 1024, or the model's if that is smaller
  std::size_t windows = 4;
  std::string prompt = "It was a dark and stormy night, and";
  std::size_t tokens = 160;
  double temperature = 0.7, top_p = 0.95;
  std::uint64_t sampling_seed = 1;
  CacheChoice cache;
  unsigned threads = 0;  // 0: as many as the machine has
  std::filesystem::path json;
  bool check_values = false, evaluate = true, generate = true, help = false;
};

// Refuses unknown options, missing and impossible values.
Options parse_options(const std::vector<std::string>& arguments);

std::string help_text();

}  // namespace llama
