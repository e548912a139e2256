// Profiles when memory runs out: each allocation failing in turn gives TQ_ERR_OUT_OF_MEMORY, and nothing leaks.
//
// They use the C++ heap, so this program has operator new and delete of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "handles.hpp"

namespace {

constexpr std::int64_t kNever = -1;
std::atomic<std::int64_t> countdown{kNever};  // allocations until one fails
std::atomic<std::int64_t> living{0};

}  // namespace

// Not inlined, or GCC sees malloc where it expects operator new, and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (countdown != kNever && countdown-- == 0) throw std::bad_alloc();
  void* pointer = std::malloc(size == 0 ? 1 : size);
  if (pointer == nullptr) throw std::bad_alloc();
  ++living;
  return pointer;
}
[[gnu::noinline]] void operator delete(void* pointer) noexcept {
  if (pointer != nullptr) --living;
  std::free(pointer);
}
[[gnu::noinline]] void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }

namespace tq_test {
namespace {

const std::string kProfile = R"({"format": "libturboquant-profile", "version": 1,
  "model": {"name": "a name that is too long for a short string", "fingerprint": "x", "layer_count": 3},
  "defaults": {"kv_heads": 2, "key_dim": 64, "seed": "0x1234567890"},
  "layers": [{"layer": 2, "key_format": "tq8"}, {"layer": 0, "window": 3}],
  "notes": {"text": ["a note that is too long for a short string", [1.5, null, true, -3]]}})";

// The status of one call whose allocation number `failing` fails.
tq_status parse_with(std::int64_t failing, const std::string& text, Error& error) {
  const std::int64_t before = living;
  tq_profile* profile = nullptr;
  countdown = failing;
  const tq_status status = tq_profile_parse(text.data(), text.size(), nullptr, &profile, &error);
  countdown = kNever;
  tq_profile_destroy(profile);
  EXPECT_EQ(living, before) << "allocation " << failing << " failing: memory leaked";
  return status;
}

// Every allocation fails once; returns how many there were until the call came to its own end.
std::int64_t fail_each(const std::string& text, tq_status end) {
  constexpr std::int64_t kUnreasonable = 100000;
  Error error;
  for (std::int64_t failing = 0; failing < kUnreasonable; ++failing) {
    const tq_status status = parse_with(failing, text, error);
    if (status == end) return failing;
    EXPECT_EQ(status, TQ_ERR_OUT_OF_MEMORY) << tq_status_name(status) << ": " << error.message;
    EXPECT_STREQ(error.message, "out of memory");
  }
  return kUnreasonable;
}

TEST(ProfileMemory, EveryAllocationMayFail) {
  EXPECT_GT(fail_each(kProfile, TQ_OK), 40);
  std::string damaged = kProfile;
  EXPECT_GT(fail_each(damaged.replace(damaged.find("\"tq8\""), 5, "\"tq9\""), TQ_ERR_UNSUPPORTED), 40);
  EXPECT_GT(fail_each(kProfile.substr(0, kProfile.size() - 1), TQ_ERR_CORRUPT_DATA), 40);
}

}  // namespace
}  // namespace tq_test
