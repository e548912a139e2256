#include "rotation_plan.hpp"

namespace tq {
namespace {

// SplitMix64 as a counter-based generator: the i-th output for a seed.
std::uint64_t splitmix64(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace

std::uint32_t largest_rotation_block(std::uint32_t dim) { return dim & (~dim + 1); }

RotationPlan::RotationPlan(const Allocator& allocator, std::uint32_t dim, std::uint32_t block, std::uint64_t seed)
    : signs_(allocator, padded_dim(dim)),
      half_signs_(allocator, padded_dim(dim)),
      dim_(dim),
      block_(block == 0 ? largest_rotation_block(dim) : block) {
  for (std::uint32_t j = 0; j < padded_dim(dim); ++j) {
    const bool negative = j < dim && ((splitmix64(seed, j / 64) >> (j % 64)) & 1) != 0;
    signs_[j] = negative ? 0x80000000u : 0u;
    half_signs_[j] = negative ? 0x8000u : 0u;
  }
}

}  // namespace tq
