// What every entry point shares: catching exceptions, reading option structs, checking arguments.
#pragma once

#include <turboquant/turboquant.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <system_error>

#include "kernels/kernel_table.hpp"
#include "support/error.hpp"
#include "support/memory.hpp"

namespace tq::capi {

void set_error(tq_error* err, tq_status status, const char* message) noexcept;

// Runs `body` and turns what it throws into a status.
template <class Body>
tq_status guarded(tq_error* err, Body body) noexcept {
  tq_status status = TQ_OK;
  const char* message = "";
  try {
    body();
    set_error(err, TQ_OK, "");
    return TQ_OK;
  } catch (const Error& error) {
    set_error(err, static_cast<tq_status>(error.status()), error.what());
    return static_cast<tq_status>(error.status());
  } catch (const std::bad_alloc&) {
    status = TQ_ERR_OUT_OF_MEMORY;
    message = "out of memory";
  } catch (const std::system_error&) {
    status = TQ_ERR_OUT_OF_MEMORY;
    message = "the system refused to start a thread";
  } catch (...) {
    status = TQ_ERR_INTERNAL;
    message = "an unexpected exception: a bug in libturboquant";
  }
  set_error(err, status, message);
  return status;
}

template <class T>
T* require(T* pointer, const char* name) {
  if (pointer == nullptr) invalid("%s is NULL", name);
  return pointer;
}

// Refuses structs of unreasonable size and unknown fields that are in use. `size` is the struct_size given.
void check_struct(const void* given, std::size_t size, std::size_t own_size, std::size_t first_size, const char* name);

// A copy of the caller's struct, of whatever version, over this version's defaults.
template <class T>
T read_struct(const T* given, const char* name, T defaults, std::size_t first_size = sizeof(T)) {
  require(given, name);
  check_struct(given, given->struct_size, sizeof(T), first_size, name);
  std::memcpy(&defaults, given, std::min<std::size_t>(given->struct_size, sizeof(T)));
  return defaults;
}

// Into the caller's struct, of whatever version: its first `size` bytes.
template <class T>
void write_struct(T* out, std::uint32_t size, T value) noexcept {
  value.struct_size = size;
  std::memcpy(static_cast<void*>(out), &value, std::min<std::size_t>(size, sizeof(T)));
}

// For the init functions: writes the first `size` bytes of the defaults and the size.
template <class T>
void write_defaults(T* out, std::uint32_t size, T defaults) noexcept {
  if (out == nullptr || size < sizeof(std::uint32_t)) return;
  std::memset(static_cast<void*>(out), 0, size);
  write_struct(out, size, defaults);
}

void require_known_cpu_target();
Allocator allocator_from(const tq_allocator& allocator);
Element element_from(tq_dtype dtype, const char* name);
Format format_from(tq_format format, const char* name);
void check_range(std::uint32_t value, std::uint32_t least, std::uint32_t most, const char* name);
void check_flag(std::uint32_t value, const char* name);
void check_group(std::uint32_t group, const char* name);
void check_rotation_block(std::uint32_t block, std::uint32_t dim, const char* name);
void check_dim(std::uint32_t dim, const char* name);
std::size_t multiply(std::size_t a, std::size_t b, const char* name);

// Strides of [token][head][dim] data in elements: 0, 0 stands for contiguous rows.
struct Strides {
  std::size_t token, head;
};
Strides strides_from(std::size_t token, std::size_t head, std::size_t count, std::size_t heads, std::size_t dim,
                     const char* name);

}  // namespace tq::capi
