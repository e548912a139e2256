// The golden files (tests/golden/README.md): loading them, and the formulas of their inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "elements.hpp"
#include "tokens.hpp"
#include "turboquant/turboquant.h"

namespace tq_test::golden {

using Json = nlohmann::json;

// All cases of tests/golden/v1/<file>. Throws if there is no such file, no case, or another version.
std::vector<Json> cases(const std::string& file);

// Rows first .. first + count - 1 of an input, [row][head][dim].
std::vector<float> rows(const Json& input, std::size_t first, std::size_t count, std::size_t heads, std::size_t dim);

tq_dtype dtype(const std::string& name);
tq_format format(const std::string& name);
tq_layer_options layer(const Json& options);

Bytes bytes_of_hex(const std::string& hex);
std::string hex_of(const Bytes& bytes);
std::vector<float> floats_of_hex(const std::string& hex);
std::string hex_of(const std::vector<float>& values);
std::string fnv1a64(const std::vector<float>& values);

// "append" and "truncate" as the case lists them. Tokens come from key_input and value_input.
class Steps {
 public:
  explicit Steps(const Json& golden_case) : case_(golden_case), layer_(layer(golden_case.at("layer"))) {}
  const tq_layer_options& options() const { return layer_; }
  Tokens tokens(std::size_t first, std::size_t count) const;
  template <class CacheHandle>
  void run(const CacheHandle& cache, tq_sequence sequence) const {
    for (const Json& step : case_.at("steps")) {
      const auto n = step.at(1).get<std::size_t>();
      if (step.at(0) == "truncate")
        cache.truncate(sequence, n);
      else
        cache.append(sequence, tokens(cache.length(sequence), n), dtype(case_.at("dtype")));
    }
  }

 private:
  const Json& case_;
  tq_layer_options layer_;
};

}  // namespace tq_test::golden
