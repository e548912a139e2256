#include "internal.hpp"

namespace tq::capi {

void set_error(tq_error* err, tq_status status, const char* message) noexcept {
  if (err == nullptr || err->struct_size < sizeof(tq_error)) return;
  err->status = status;
  std::strncpy(err->message, message, sizeof err->message - 1);
  err->message[sizeof err->message - 1] = '\0';
}

void check_struct(const void* given, std::size_t size, std::size_t own_size, std::size_t first_size, const char* name) {
  constexpr std::size_t kUnreasonable = 65536;
  if (size < first_size || size > kUnreasonable) {
    invalid("%s: struct_size is %zu, but version 0.1 has %zu bytes; set it with the init function", name, size,
            first_size);
  }
  const auto* bytes = static_cast<const unsigned char*>(given);
  for (std::size_t i = own_size; i < size; ++i) {
    if (bytes[i] != 0) {
      fail(Status::kUnsupported, "%s: byte %zu of %zu is set, but this version knows only %zu; it is older than you",
           name, i, size, own_size);
    }
  }
}

void require_known_cpu_target() {
  const char* value = nullptr;
  if (!unknown_cpu_target(&value)) return;
  fail(Status::kUnsupported,
       "TQ_CPU_TARGET is '%.80s', which is none of baseline, avx2, avx512, avx512_vnni, avx512_amx (x86-64), neon "
       "(AArch64)",
       value);
}

Allocator allocator_from(const tq_allocator& allocator) {
  if ((allocator.allocate == nullptr) != (allocator.release == nullptr))
    invalid("allocator: one of allocate and release is NULL; give both or none");
  if (allocator.allocate == nullptr) return {};
  return {allocator.allocate, allocator.release, allocator.user};
}

Element element_from(tq_dtype dtype, const char* name) {
  if (dtype < TQ_F32 || dtype > TQ_BF16)
    invalid("%s is %u; expected TQ_F32 (1), TQ_F16 (2) or TQ_BF16 (3)", name, dtype);
  return static_cast<Element>(dtype);
}

Format format_from(tq_format format, const char* name) {
  if (format == 5 || format == 6) {
    fail(Status::kUnsupported, "%s is %u: reserved for a 3-bit or 2-bit format that does not exist yet", name, format);
  }
  if (format < TQ_FORMAT_TQ4 || format > TQ_FORMAT_BF16) {
    invalid("%s is %u; expected TQ_FORMAT_TQ4 (1), TQ_FORMAT_TQ8 (2), TQ_FORMAT_F16 (3) or TQ_FORMAT_BF16 (4)", name,
            format);
  }
  return static_cast<Format>(format);
}

void check_range(std::uint32_t value, std::uint32_t least, std::uint32_t most, const char* name) {
  if (value < least || value > most) invalid("%s is %u; expected %u to %u", name, value, least, most);
}

void check_flag(std::uint32_t value, const char* name) {
  if (value > 1) invalid("%s is %u; expected 0 or 1", name, value);
}

void check_group(std::uint32_t group, const char* name) {
  if (group != 32 && group != 64) invalid("%s is %u; expected 64 or 32", name, group);
}

void check_dim(std::uint32_t dim, const char* name) {
  if (dim == 0 || dim > TQ_MAX_HEAD_DIM) invalid("%s is %u; expected 1 to %u", name, dim, TQ_MAX_HEAD_DIM);
}

void check_rotation_block(std::uint32_t block, std::uint32_t dim, const char* name) {
  if (block == 0) return;
  if ((block & (block - 1)) != 0 || dim % block != 0) {
    invalid("%s is %u; expected 0 or a power of two that divides the head size %u, at most %u", name, block, dim,
            dim & (~dim + 1));
  }
}

std::size_t multiply(std::size_t a, std::size_t b, const char* name) {
  std::size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product > PTRDIFF_MAX)
    invalid("%s: %zu times %zu is more than memory can hold", name, a, b);
  return product;
}

Strides strides_from(std::size_t token, std::size_t head, std::size_t count, std::size_t heads, std::size_t dim,
                     const char* name) {
  if (token == 0 && head == 0) {
    token = multiply(heads, dim, name);
    head = dim;
  }
  if (token < dim || head < dim) {
    invalid("%s: token stride %zu and head stride %zu; expected both 0, or both at least the head size %zu", name,
            token, head, dim);
  }
  const std::size_t tokens = multiply(multiply(count, token, name), sizeof(float), name);
  const std::size_t all = multiply(multiply(heads, head, name), sizeof(float), name);
  if (tokens > PTRDIFF_MAX - all) invalid("%s: strides %zu and %zu reach beyond memory", name, token, head);
  return {token, head};
}

}  // namespace tq::capi
