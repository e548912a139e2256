// How many query rows attend to the same blocks: group by group, or in tiles where the processor has such registers.
#pragma once

#include "tiled-inl.hpp"

namespace tq {
namespace {

// Looking up codes beforehand costs as much as a few groups of rows gain, and writing them as tiles as much as a
// tile of rows gains.
inline constexpr std::size_t kLeastShared = 16;

template <class S>
bool in_tiles(const CodeShape& keys, const CodeShape& values, std::size_t rows) noexcept {
  if constexpr (HasTiles<S>) return rows >= 2 * S::kTileRows && tiles_fit(keys) && tiles_fit(values);
  return false;
}

template <class S>
void attend_shared(const CodedRun& run, const QueryRows& rows, std::uint8_t* memory) noexcept {
  SharedState<S> state(rows.rows, memory);
  const auto attend = [&] {
    if constexpr (HasTiles<S>) {
      if (in_tiles<S>(run.keys, run.values, rows.rows)) return attend_tiles<S>(run, rows, state, memory);
    }
    attend_groups<S>(run, rows, state, memory);
  };
  attend();
  for (std::size_t row = 0; row < rows.rows; row += kMaxRows) state.sums[row / kMaxRows].add_to(rows.sums + row);
}

// Whole groups of rows, or whole tiles.
template <class S>
std::size_t shared_rows(const CodedRun& run, std::size_t rows) noexcept {
  if (run.keys.format != Format::kTq4 || run.values.format != Format::kTq4 || rows < kLeastShared) return 0;
  const std::size_t unit = in_tiles<S>(run.keys, run.values, rows) ? 16 : kMaxRows;
  return rows / unit * unit;
}

template <class S>
std::size_t shared_memory(const CodeShape& keys, const CodeShape& values, std::size_t rows) noexcept {
  if (in_tiles<S>(keys, values, rows))
    return SharedState<S>::bytes(rows) +
           reinterpret_cast<std::size_t>(TileMemory(keys.dim, values.dim, rows, nullptr).end);
  const std::size_t codes = kBlockTokens * (padded_dim(keys.dim) + padded_dim(values.dim) + 1);
  return SharedState<S>::bytes(rows) + run_memory(kMaxRows, values.groups()) + codes;
}

template <class S>
constexpr SharedKernels shared_kernels() {
  return {HasTiles<S> ? 512 : 256, &shared_rows<S>, &shared_memory<S>, &attend_shared<S>};
}

}  // namespace
}  // namespace tq
