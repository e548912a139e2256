// Signs and block size of the rotation of one head size (docs/format.md section 1).
#pragma once

#include <cstdint>

#include "../kernels/kernel_table.hpp"
#include "../support/memory.hpp"

namespace tq {

inline constexpr std::uint64_t kDefaultSeed = 0x7475726271756E74u;

// The largest power of two that divides dim.
std::uint32_t largest_rotation_block(std::uint32_t dim);

class RotationPlan {
 public:
  RotationPlan() = default;
  // block: 0 = the largest; else a power of two that divides dim.
  RotationPlan(const Allocator& allocator, std::uint32_t dim, std::uint32_t block, std::uint64_t seed);

  Rotation view() const { return {signs_.data(), dim_, block_, half_signs_.data()}; }

 private:
  Buffer<std::uint32_t> signs_;
  Buffer<std::uint16_t> half_signs_;
  std::uint32_t dim_ = 0;
  std::uint32_t block_ = 0;
};

}  // namespace tq
