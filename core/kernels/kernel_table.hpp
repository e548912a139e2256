// The kernels of one instruction set. Each is written once in a *-inl.hpp as a template over a simd struct and
// instantiated by arch/<name>.cpp; dispatch.cpp picks a table at run time. Kernels take raw pointers and counts, never
// allocate, never throw, and trust their arguments: callers have checked them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tq {

// Same numbers as tq_dtype and tq_format.
enum class Element : std::uint32_t { kF32 = 1, kF16 = 2, kBf16 = 3 };
enum class Format : std::uint32_t { kTq4 = 1, kTq8 = 2, kF16 = 3, kBf16 = 4 };

inline constexpr std::size_t kBlockTokens = 64;
inline constexpr std::size_t kTile = 16;        // tokens coded at a time
inline constexpr std::size_t kRowPadding = 32;  // rotated rows are padded with zeros to a multiple of this
inline constexpr std::size_t kMaxPadded = 1024;
inline constexpr std::int32_t kZeroIndex = -0x1000000;  // scale index of an all-zero group

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
constexpr std::size_t padded_dim(std::size_t dim) { return round_up(dim, kRowPadding); }

constexpr std::size_t element_bytes(Element element) { return element == Element::kF32 ? 4 : 2; }
constexpr bool is_coded(Format format) { return format == Format::kTq4 || format == Format::kTq8; }

// Signs and Walsh-Hadamard transform of rows of `dim` values (docs/format.md section 1).
struct Rotation {
  const std::uint32_t* signs;  // padded_dim(dim) sign masks: 0 or 0x80000000
  std::uint32_t dim;
  std::uint32_t block;              // power of two that divides dim
  const std::uint16_t* half_signs;  // the same for 16-bit floats: 0 or 0x8000
};

// How one side (keys or values) of a head is coded.
struct CodeShape {
  Format format;  // kTq4 or kTq8
  std::uint32_t dim;
  std::uint32_t group;  // values per scale
  std::uint32_t search;

  std::size_t groups() const { return (dim + group - 1) / group; }
};

enum class CodeLayout { kKeys, kValues };

// Up to kTile tokens of a block of codes.
struct CodedTile {
  const std::uint8_t* codes;  // of the block
  CodeLayout layout;
  const std::uint8_t* scales;  // [group][64]
  const float* offset_scales;  // 2^offset of each of the kTile tokens,
  bool one_offset;             // or of all of them: one number
  std::size_t first;           // of the kTile tokens, a multiple of kTile
  std::size_t from, to;        // which of them are wanted, 0 .. kTile
};

// Rows of user data; strides in elements.
struct RowSource {
  const void* data;
  Element element;
  std::size_t stride;
};
inline constexpr RowSource kNoRows{nullptr, Element::kF16, 0};
struct RowTarget {
  void* data;
  Element element;
  std::size_t stride;
};

namespace {  // compiled for every instruction set: none of them may end up in another's place

// The rows from `row` on.
inline RowSource row_from(const RowSource& source, std::size_t row) noexcept {
  const std::size_t offset = row * source.stride * element_bytes(source.element);
  return {static_cast<const char*>(source.data) + offset, source.element, source.stride};
}
inline RowTarget row_from(const RowTarget& target, std::size_t row) noexcept {
  const std::size_t offset = row * target.stride * element_bytes(target.element);
  return {static_cast<char*>(target.data) + offset, target.element, target.stride};
}
// The same of rows to be fetched; no rows stay none.
inline RowSource next_from(const RowSource& next, std::size_t row) noexcept {
  return next.data != nullptr ? row_from(next, row) : next;
}

}  // namespace

// A query head prepared for dot products with codes. `digits` holds 4 signed bytes per dword in coordinate order, first
// all dwords of the high digit, then (tq8 only) those of the low digit.
struct CodedQuery {
  const std::int32_t* digits;
  const std::int32_t* group_sums;  // sum of the query integers, per group
  float scale;                     // score = scale * sum over groups of group scale * integer dot product
};

struct CodedSide {
  const std::uint8_t* codes;   // keys or values layout of 64 tokens
  const std::uint8_t* scales;  // [group][64]
  float offset_scale;          // 2^offset of the block
  const std::uint8_t* next;    // what will be read after the codes, fetched meanwhile; only a hint
  const std::uint8_t* later;   // what after that, brought nearer meanwhile; only a hint; or NULL
};

// Where the parts of a head block are, in bytes from its start (docs/format.md section 5).
struct BlockParts {
  std::size_t key_scales, value_scales, mean, keys, values;
};

// A complete coded block of one head.
struct CodedBlock {
  const std::uint8_t* head;
  float key_scale, value_scale;  // 2^offset
  float mean_scale;
};

struct VisibleTokens {
  std::size_t first, end;  // of the 64
};

// Consecutive blocks of one head, both sides coded.
struct CodedRun {
  CodeShape keys, values;
  BlockParts parts;
  float query_factor;  // of dot products with rotated queries, 1 / n
  bool centered;       // keys are relative to the mean of their block
  float softcap;       // 0: off
  const CodedBlock* blocks;
  std::size_t count;
  const VisibleTokens* visible;  // per row, the same for all blocks; NULL: all 64
  bool far;                      // the blocks have to be expected in memory; only a hint

  const CodedBlock& at(std::size_t i) const { return blocks[i < count ? i : count - 1]; }
};

// Query rows (1..kMaxRows) and their state: softmax reference and sum (base 2), value sums in the rotated domain and of
// exact values, both padded_dim apart.
struct QueryRows {
  std::size_t rows;
  const CodedQuery* queries;
  const float* rotated;
  float* maxima;
  float* sums;
  float* value_sums;
  float* exact_sums;
};

inline constexpr std::size_t kMaxRows = 4;        // query rows a scores or values kernel takes at once
inline constexpr std::size_t kWeightBytes = 192;  // of the integer weights of a row and group

// Bytes that attend_run needs for weights on their way, and scales of values.
constexpr std::size_t run_memory(std::size_t rows, std::size_t value_groups) {
  const std::size_t weights = rows * (kBlockTokens * sizeof(float) + value_groups * kWeightBytes);
  return 2 * weights + value_groups * kBlockTokens * sizeof(float);
}

// What an instruction set may have of its own while it takes all else from another.
struct SharedKernels {
  // How many rows are worth sharing what is looked up once: more would need other caches.
  std::size_t most_rows;
  // How many of `rows` rows, the first ones, attend_shared had better take.
  std::size_t (*shared_rows)(const CodedRun& run, std::size_t rows);
  // The bytes of memory, aligned to 64, that attend_shared needs then.
  std::size_t (*shared_memory)(const CodeShape& keys, const CodeShape& values, std::size_t rows);
  // What attend_run does, for rows one after another in memory, none of them masked.
  void (*attend_shared)(const CodedRun& run, const QueryRows& rows, std::uint8_t* memory);
};

struct KernelTable : SharedKernels {
  const char* name;

  // Walsh-Hadamard transform of every aligned run of `size` floats among `total` (a multiple of size), times `scale`.
  void (*fwht)(float* data, std::size_t total, std::size_t size, float scale);

  // The first of `count` contiguous elements that is not finite or beyond +-limit; `count` if none is.
  std::size_t (*find_invalid)(const void* data, Element element, std::size_t count, float limit);

  // rows[i * padded] = source row i as floats, zero padded.
  void (*load_rows)(const RowSource& source, std::size_t count, std::size_t dim, float* rows);
  void (*store_rows)(const float* rows, std::size_t row_stride, std::size_t count, std::size_t dim,
                     const RowTarget& target);

  // Rows from one element type to another.
  void (*convert_rows)(const RowSource& source, std::size_t count, std::size_t dim, const RowTarget& target);

  // sum[j] += the rows, one after another, in order.
  void (*sum_rows)(const RowSource& source, std::size_t count, std::size_t dim, float* sum);

  // rows[i * padded] = R(source row i) - subtract (NULL: nothing), zero padded.
  void (*rotate_rows)(const RowSource& source, std::size_t count, const Rotation& rotation, const float* subtract,
                      float* rows);
  // In place: the inverse, plus `add` (NULL: nothing).
  void (*unrotate_rows)(float* rows, std::size_t count, const Rotation& rotation, const float* add);

  // Codes of R(source rows) - subtract (padded; NULL: nothing), of `count` rows and zero rows up to kTile, as granules
  // [coordinate / 4][token][4 bytes, one code each], and scale indices [group][token]. `next`: rows that
  // will be read later, fetched meanwhile (data NULL: none). `scratch`: 2 * kTile * padded. Returns a bound of the
  // magnitudes that were coded, which is not finite if a row is not.
  float (*encode_tile)(const CodeShape& shape, const Rotation& rotation, const RowSource& source, std::size_t count,
                       const RowSource& next, const float* subtract, float* scratch, std::uint32_t* granules,
                       std::int32_t* indices);
  std::int32_t (*largest_index)(const std::int32_t* indices, std::size_t count);  // count: a multiple of kTile
  // The scale bytes of kTile groups of a block with this offset. True if groups other than zero ones got the byte 0.
  bool (*scale_bytes)(const std::int32_t* indices, std::int32_t offset, std::uint8_t* bytes);
  // The codes of a rotated mean (docs/format.md section 4) and their scale; padded: a multiple of kRowPadding.
  float (*encode_mean)(const float* mean, std::size_t padded, std::int8_t* codes);
  // Rows tile.from .. tile.to - 1 of the tile to `target`, rotation undone, plus `add` (padded; NULL: nothing). `scratch`:
  // kTile * padded floats.
  void (*decode_tile)(const CodeShape& shape, const Rotation& rotation, const CodedTile& tile, const float* add,
                      const RowTarget& target, float* scratch);
  // out[i] = codes[i] * scale; count: a multiple of kRowPadding.
  void (*signed_floats)(const std::int8_t* codes, float scale, std::size_t count, float* out);

  // Granules of kTile tokens to the layouts of a block, at token `first` (a multiple of kTile).
  void (*pack_keys)(const CodeShape& shape, const std::uint32_t* granules, std::size_t first, std::uint8_t* codes);
  void (*pack_values)(const CodeShape& shape, const std::uint32_t* granules, std::size_t first, std::uint8_t* codes);

  // Prepares a rotated query: writes digits and group_sums, returns the scale (times `scale`).
  float (*quantize_query)(const CodeShape& shape, const float* rotated, float scale, std::int32_t* digits,
                          std::int32_t* group_sums);
  // scores[r * stride + t] of `rows` (1..kMaxRows) queries with the 64 keys of a block.
  void (*coded_scores)(const CodeShape& shape, const CodedSide& keys, const CodedQuery* queries, std::size_t rows,
                       float* scores, std::size_t stride);
  // sums[r * padded + j] += sum over the 64 tokens of weights[r * 64 + t] * value (rotated domain). `memory`: as for
  // attend_run.
  void (*coded_values)(const CodeShape& shape, const CodedSide& values, const float* weights, std::size_t rows,
                       float* sums, std::uint8_t* memory);

  // Attention over a run of blocks: all of the above in one pass. `memory`, aligned to 64 bytes: run_memory(rows, value groups).
  void (*attend_run)(const CodedRun& run, const QueryRows& rows, std::uint8_t* memory);

  // The same for `count` (at most 64) rows of 16-bit or 32-bit floats. queries[r * padded + j], scores[r * 64 + t].
  void (*row_scores)(const RowSource& keys, std::size_t count, std::size_t dim, const float* queries, std::size_t rows,
                     float* scores);
  void (*row_values)(const RowSource& values, std::size_t count, std::size_t dim, const float* weights,
                     std::size_t rows, float* sums);
  // Scores of many queries with the same keys: columns[j * 64 + t] = rows[t * padded + j], of `count` rows and of those
  // that fill the last vector; then what row_scores computes (of those, too), in another order.
  void (*transpose_rows)(const float* rows, std::size_t count, std::size_t dim, float* columns);
  void (*column_scores)(const float* columns, std::size_t count, std::size_t dim, const float* queries,
                        std::size_t rows, float* scores);

  // Online softmax over 64 base-2 logits of each of `rows` (1..kMaxRows) rows, -infinity for what a row does not see: raises
  // maxima[r] to the largest logit, turns logits (aligned to 64 bytes) into weights exp2(logit - maxima[r]), multiplies
  // sums[r] by changes[r], exp2(old maximum - new maximum) or 1 if there was none, and adds the weights to it.
  void (*softmax)(float* logits, std::size_t rows, float* maxima, float* sums, float* changes);
  void (*softcap)(float* logits, std::size_t count, float cap);  // logit <- cap * tanh(logit / cap)
  void (*scale_floats)(float* data, std::size_t count, float factor);
  float (*dot)(const float* a, const float* b, std::size_t count);  // count: a multiple of kRowPadding
};

// The table in use: the best this CPU has, capped by TQ_CPU_TARGET. Resolved once.
const KernelTable& kernels() noexcept;

// Whether TQ_CPU_TARGET names a target this build does not know; its value is then in `*value`.
bool unknown_cpu_target(const char** value) noexcept;

}  // namespace tq
