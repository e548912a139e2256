// The codebook of tq4 and its decision thresholds (docs/format.md section 3.1), as constants for every instruction set.
#pragma once

#include <cstdint>

namespace tq {
namespace {

inline constexpr std::uint8_t kCentroids[8] = {3, 9, 15, 21, 28, 36, 46, 61};
inline constexpr std::uint8_t kThresholds[7] = {12, 24, 36, 49, 64, 82, 107};  // in half-units
inline constexpr float kUnitsPerSigma = 22.319f;

// 16 bytes repeated over a 64-byte register, so that a lookup within 128-bit lanes and one across lanes agree.
struct Table16 {
  alignas(64) std::uint8_t bytes[64];
};

// Signed centroid of a nibble, plus `bias`.
constexpr Table16 signed_centroids(int bias) {
  Table16 table{};
  for (int i = 0; i < 64; ++i) {
    const int centroid = kCentroids[i & 7];
    table.bytes[i] = static_cast<std::uint8_t>(((i & 8) ? -centroid : centroid) + bias);
  }
  return table;
}

constexpr Table16 unsigned_centroids() {
  Table16 table{};
  for (int i = 0; i < 64; ++i) table.bytes[i] = kCentroids[i & 7];
  return table;
}

constexpr std::uint8_t nearest_code_of(int half_units) {
  std::uint8_t code = 0;
  for (const std::uint8_t threshold : kThresholds) code = static_cast<std::uint8_t>(code + (threshold <= half_units));
  return code;
}

// Nearest code by buckets of eight half-units: a bucket holds at most one threshold, so that
// code = below[bucket] + 1 - (half_units < threshold[bucket]).
struct BucketTables {
  Table16 below, threshold;
};

constexpr BucketTables bucket_tables() {
  BucketTables tables{};
  for (int i = 0; i < 64; ++i) {
    const int bucket = i & 15;
    int inside = 0;  // a threshold strictly inside the bucket; 0 is below every value
    for (const std::uint8_t t : kThresholds) {
      if (t > 8 * bucket && t < 8 * bucket + 8) inside = t;
    }
    const int at_start = nearest_code_of(8 * bucket);
    tables.threshold.bytes[i] = static_cast<std::uint8_t>(inside);
    tables.below.bytes[i] = static_cast<std::uint8_t>(inside != 0 ? at_start : at_start - 1);
  }
  return tables;
}

// Direct tables over all 128 half-units, for instruction sets that look up 128 bytes at once.
struct Table128 {
  alignas(64) std::uint8_t bytes[128];
};

constexpr Table128 nearest_nibbles() {
  Table128 table{};
  for (int i = 0; i < 128; ++i) table.bytes[i] = static_cast<std::uint8_t>(nearest_code_of(i) << 4);
  return table;
}

constexpr Table128 nearest_centroids() {
  Table128 table{};
  for (int i = 0; i < 128; ++i) table.bytes[i] = kCentroids[nearest_code_of(i)];
  return table;
}

}  // namespace
}  // namespace tq
