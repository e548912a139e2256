// Codes of a block looked up once for several uses: to a byte each, in the order in which vectors take them.
#pragma once

#include "values-inl.hpp"

namespace tq {
namespace {

// Cells of 256 bytes to cells of 512: the codes of the low nibbles of all 64 tokens, then those of the high ones; plus
// the bias.
template <class S, int Bias>
TQ_INLINE inline void widen_keys(const std::uint8_t* codes, std::size_t cells, std::uint8_t* wide) noexcept {
  static constexpr Table16 centroids = signed_centroids(Bias);
  const typename S::I table = S::table(centroids);
  for (std::size_t cell = 0; cell < cells; ++cell, codes += 256, wide += 512) {
    for (std::size_t at = 0; at < 256; at += S::kLanes * 4) {
      const auto [low, high] = two_codes<S, Codes::kTq4>(table, codes + at, 0);
      store_lanes<S>(low, wide + at);
      store_lanes<S>(high, wide + 256 + at);
    }
  }
}

// Quads of `lanes` dwords to twice as many: low nibbles, then high ones. Writes up to a register beyond the last quad.
template <class S>
TQ_INLINE inline void widen_quads(const std::uint8_t* codes, std::size_t quads, std::size_t lanes,
                                  std::uint8_t* wide) noexcept {
  static constexpr Table16 centroids = signed_centroids(0);
  const typename S::I table = S::table(centroids);
  for (std::size_t quad = 0; quad < quads; ++quad, codes += lanes * 4, wide += lanes * 8) {
    for (std::size_t lane = 0; lane < lanes; lane += S::kLanes)
      store_lanes<S>(S::lookup_low(table, S::load_some(codes + lane * 4, lanes - lane)), wide + lane * 4);
    for (std::size_t lane = 0; lane < lanes; lane += S::kLanes)
      store_lanes<S>(S::lookup_high(table, S::load_some(codes + lane * 4, lanes - lane)), wide + (lanes + lane) * 4);
  }
}

template <class S>
void widen_values(const CodeShape& shape, const std::uint8_t* codes, std::uint8_t* wide) noexcept {
  for_value_chunks<Format::kTq4>(shape.dim, [&](ValueChunk chunk) {
    widen_quads<S>(codes + chunk.offset, kBlockTokens / 4, chunk.lanes, wide + 2 * chunk.offset);
  });
}

}  // namespace
}  // namespace tq
