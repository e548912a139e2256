// The baselines of one instruction set: attention on uncompressed caches, Walsh-Hadamard transforms, and the loops that
// measure what the machine can do at best. Written once in *-inl.hpp, compiled per instruction set by arch/*.cpp.
//
// An uncompressed cache of one kv head lies in tiles of 64 tokens, laid out for these kernels and not for convenience:
//   tile = K panel [head_dim][64 tokens], then head_dim / 64 V panels [64 tokens][64 coordinates]
// so that every dot product runs down a panel with one token (or coordinate) per vector lane and no sum ever crosses a
// vector, and one pass reads memory front to back. In bf16, rows 2i and 2i + 1 of a panel lie interleaved, as vdpbf16ps
// wants them; without it they widen with one shift and one AND. The last tile is filled up with zeros.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

inline constexpr std::size_t kTileTokens = 64;
inline constexpr std::size_t kMaxHeadDim = 256;
inline constexpr std::size_t kMaxDecodeRows = 16;
inline constexpr std::size_t kPrefillRows = 96;  // rows of a prefill block

enum class Type { kF32, kF16, kBf16 };
inline constexpr const char* kTypeNames[] = {"fp32", "fp16", "bf16"};
constexpr std::size_t bytes_of(Type type) { return type == Type::kF32 ? 4 : 2; }

// c[r][0..63] = (add ? c[r][0..63] : 0) + sum over i < k of a[r][i] b[i][0..63] for `count` rows, at least `rows`.
// Every line of b is read once before any is read again; `ahead` bytes behind it another one is prefetched into L2
// (0: none).
using PanelFn = void (*)(const float* a, std::size_t lda, std::size_t count, const void* b, std::size_t k, float* c,
                         std::size_t ldc, bool add, std::size_t ahead);
struct Panel {
  int rows, columns;  // of the register tile, columns in vectors
  PanelFn run;
  bool tiles = false;  // runs on tile registers, between begin_tiles(count) and end_tiles(); count <= 16
};
struct PanelList {
  const Panel* data;
  std::size_t count;
  const Panel* begin() const { return data; }
  const Panel* end() const { return data + count; }
};

// Which register tile computes scores and which sums values; whether the next tile of the cache is prefetched
// meanwhile.
struct Tiling {
  Panel scores, values;
  bool prefetch = false;
};

// One kv head. `queries`: rows of head_dim floats, already times scale * log2(e). `out`: the same shape.
struct DecodeJob {
  const float* queries;
  std::size_t rows;  // 1..kMaxDecodeRows
  std::size_t head_dim;
  const void* tiles;
  std::size_t tokens;
  float* out;
};
// Row r belongs to new token r / group and sees first_visible + r / group tokens.
struct PrefillJob {
  const float* queries;
  std::size_t rows, group;
  std::size_t head_dim;
  const void* tiles;
  std::size_t first_visible;
  float* out;
};

struct AttentionTable {
  const char* name;
  int lanes;
  PanelList (*panels)(Type type);  // the register tiles worth trying
  void (*decode)(Type type, const Tiling& tiling, const DecodeJob& job);
  // Panels of kF32: tiles of the cache are widened first. With tile registers a bf16 cache is used as it is.
  PanelList (*prefill_panels)(Type type);
  void (*prefill)(Type type, const Tiling& tiling, const PrefillJob& job);
  void (*begin_tiles)(std::size_t rows);  // decode and prefill do this themselves
  void (*end_tiles)();
};

struct LimitTable {
  const char* name;
  const char* dot_instruction;
  std::uint64_t (*read)(const void* data, std::size_t bytes);  // reads everything, as fast as it can
  void (*write)(void* data, std::size_t bytes);                // the same for writing; 0.0f, in whole vectors
  // `steps` steps without dependences between them; return how many operations that was.
  double (*adds)(std::size_t steps);    // f32 additions
  double (*fmas)(std::size_t steps);    // f32 multiply-adds
  double (*dots)(std::size_t steps);    // products of two 8-bit numbers that end in a 32-bit sum
  double (*cycles)(std::size_t steps);  // cycles of the core: each waits for the one before
};

struct TransformTable {
  void (*naive)(float* data, std::size_t size, std::size_t count);  // three textbook loops, left to the compiler
  void (*tuned)(float* data, std::size_t size, std::size_t count);
};

struct Baselines {
  AttentionTable attention;
  LimitTable limits;
  TransformTable transform;
};

// Those of the library's instruction set (tq_cpu_target), with bf16 dot products where the CPU has them; with target
// "avx512_amx" bf16 in tile registers where it has those.
const Baselines& baselines();

}  // namespace bench
