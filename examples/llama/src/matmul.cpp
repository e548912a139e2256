#include "matmul.hpp"

#include <algorithm>
#include <cstring>

#include "error.hpp"

// GCC and Clang compile single functions for newer CPUs than the rest of the program; which one runs is asked of the
// CPU. Other processors' compilers use their baseline, which on aarch64 is NEON.
#if defined(__x86_64__) && defined(__GNUC__)
#define LLAMA_X86 1
#else
#define LLAMA_X86 0
#endif

namespace llama {
namespace {

#define TILE_NAME tile_baseline
#define TILE_TARGET
#define TILE_BYTES 16
#include "matmul_tile.inc"

#if LLAMA_X86
#define TILE_NAME tile_avx2
#define TILE_TARGET __attribute__((target("avx2,fma")))
#define TILE_BYTES 32
#include "matmul_tile.inc"

#define TILE_NAME tile_avx512
#define TILE_TARGET __attribute__((target("avx512f")))
#define TILE_BYTES 64
#include "matmul_tile.inc"
#endif

using Tile = void (*)(const float*, const float*, std::size_t, float*, std::size_t, std::size_t);

struct Kernel {
  const char* name;
  std::size_t tokens;  // of `many`; as many as their sums fit into registers
  Tile many, one;
};

Kernel choose_kernel() {
#if LLAMA_X86
  if (__builtin_cpu_supports("avx512f")) return {"avx512", 8, tile_avx512<8>, tile_avx512<1>};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", 4, tile_avx2<4>, tile_avx2<1>};
  return {"sse2", 2, tile_baseline<2>, tile_baseline<1>};
#else
  return {"baseline", 4, tile_baseline<4>, tile_baseline<1>};
#endif
}

const Kernel kKernel = choose_kernel();

void multiply_panel(const Matrix& w, std::size_t panel, const float* x, std::size_t tokens, float* y) {
  const std::size_t row = panel * Matrix::kPanelRows;
  const std::size_t valid = std::min(Matrix::kPanelRows, w.rows() - row);
  std::size_t t = 0;
  for (; t + kKernel.tokens <= tokens; t += kKernel.tokens)
    kKernel.many(w.panel(panel), x + t * w.columns(), w.columns(), y + t * w.rows() + row, w.rows(), valid);
  for (; t < tokens; ++t)
    kKernel.one(w.panel(panel), x + t * w.columns(), w.columns(), y + t * w.rows() + row, w.rows(), valid);
}

}  // namespace

Matrix::Matrix(const std::vector<float>& row_major, std::size_t rows, std::size_t columns)
    : rows_(rows), columns_(columns), data_((rows + kPanelRows - 1) / kPanelRows * kPanelRows * columns) {
  for (std::size_t r = 0; r < rows; ++r) {
    float* panel_row = data_.data() + r / kPanelRows * kPanelRows * columns + r % kPanelRows;
    for (std::size_t k = 0; k < columns; ++k) panel_row[k * kPanelRows] = row_major[r * columns + k];
  }
}

void Matrix::copy_row(std::size_t row, float* out) const {
  const float* panel_row = panel(row / kPanelRows) + row % kPanelRows;
  for (std::size_t k = 0; k < columns_; ++k) out[k] = panel_row[k * kPanelRows];
}

void matmul(const Matrix& w, const float* x, std::size_t tokens, float* y, Threads& threads) {
  const std::size_t panels = (w.rows() + Matrix::kPanelRows - 1) / Matrix::kPanelRows;
  // Waking a thread costs some 10 us, about as much as 2^18 multiplications.
  const std::size_t work = w.rows() * w.columns() * tokens;
  const std::size_t tasks = work < (1u << 18) ? 1 : std::min<std::size_t>(panels, std::size_t{4} * threads.count());
  threads.run(tasks, [&](std::size_t task) {
    for (std::size_t p = panels * task / tasks; p < panels * (task + 1) / tasks; ++p)
      multiply_panel(w, p, x, tokens, y);
  });
}

const char* matmul_target() { return kKernel.name; }

}  // namespace llama
