// ggml's CPU flash attention as a further baseline, if its shared libraries are there: loaded at run time from the
// folder TQ_GGML_DIR, such as llama_cpp/lib of the Python package llama-cpp-python. `./dev bench --with-ggml` sets that
// up.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cases/data.hpp"

namespace bench {

bool ggml_available();      // says on stderr why not if TQ_GGML_DIR is set
std::string ggml_source();  // the folder, or "" if it is not available

enum class GgmlType { kF16 = 1, kQ4_0 = 2, kQ8_0 = 8 };  // ggml's own numbers

struct GgmlShape {
  GgmlType type;
  std::size_t q_heads, tokens, new_tokens;  // new tokens are the last of `tokens`; more than one: causal
  bool token_major;                         // [token][head] as llama.cpp keeps it, else head after head
};

// One attention call over tokens of the pool, one thread, scale 1 / sqrt(head_dim).
class GgmlAttention {
 public:
  GgmlAttention(const GgmlShape& shape, const Pool& pool,
                const std::vector<float>& queries);  // [new token][q head][dim]
  ~GgmlAttention();
  void run();
  void copy_output(float* out) const;  // [new token][q head][head_dim]
  std::string name() const;            // ggml_q8_0, ..

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bench
