#include "cases/codec_support.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cases/library.hpp"

namespace bench {

std::size_t element_bytes(tq_dtype dtype) { return dtype == TQ_F32 ? 4 : 2; }

std::string dtype_name(tq_dtype dtype) {
  if (dtype == TQ_F32) return "f32";
  return dtype == TQ_F16 ? "f16" : "bf16";
}

Memory elements(const std::vector<float>& values, tq_dtype dtype) {
  Memory memory(values.size() * element_bytes(dtype));
  if (dtype == TQ_F32) {
    std::memcpy(memory.as<char>(), values.data(), memory.bytes());
  } else {
    std::memcpy(memory.as<char>(), convert(values, dtype == TQ_F16 ? Type::kF16 : Type::kBf16).data(), memory.bytes());
  }
  return memory;
}

Work transform_work(std::size_t head_dim, std::size_t rows) {
  Work work;
  const auto n = static_cast<double>(head_dim);
  work.adds = static_cast<double>(rows) * n * std::log2(n);
  return work;
}

Contender transforms(std::size_t head_dim, std::size_t rows) {
  constexpr std::size_t kFloats = 4096;
  const std::size_t count = kFloats / head_dim;
  const auto data = std::make_shared<std::vector<float>>(gaussian(kFloats, 1));
  const auto run = [=] {
    for (std::size_t done = 0; done < rows; done += count)
      check(tq_fwht(data->data(), head_dim, std::min(count, rows - done), &last_error));
  };
  return {"fwht", run, transform_work(head_dim, rows)};
}

Arena::~Arena() {
  for (const auto& [size, pointer] : free_) std::free(pointer);
}

void* Arena::allocate(void* user, std::size_t size, std::size_t alignment) {
  auto& free = static_cast<Arena*>(user)->free_;
  const auto found = free.find(size);
  if (found == free.end()) return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  void* pointer = found->second;
  free.erase(found);
  return pointer;
}

void Arena::release(void* user, void* pointer, std::size_t size) {
  if (pointer != nullptr) static_cast<Arena*>(user)->free_.emplace(size, pointer);
}

}  // namespace bench
