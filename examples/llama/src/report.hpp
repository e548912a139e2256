// What a run found, for people (a table of at most 100 columns) and for programs (one flat JSON object).
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "check_values.hpp"
#include "evaluate.hpp"

namespace llama {

struct Report {
  std::string model, text;  // names
  Config config;
  Windows windows;
  CacheChoice choice;
  unsigned threads;
  std::optional<CheckValues> check;
  std::optional<Evaluation> evaluation;
};

std::string cache_name(const CacheChoice& choice);  // "tq4 cache", "tq8/tq4 cache", "profile cache"

std::string milliseconds(double seconds);  // "0.123 ms"

std::string heading(const Report& report);
std::string table(const Report& report);
std::string check_lines(const CheckValues& check);

// Needs report.evaluation.
void write_json(const Report& report, const std::filesystem::path& path);

}  // namespace llama
