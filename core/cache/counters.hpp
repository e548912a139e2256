// Time and bytes of a cache's calls, for whoever watches the overhead. Added to once per call, from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace tq {

struct Counters {
  std::atomic<std::uint64_t> append_calls{0}, append_ns{0}, append_bytes{0};
  std::atomic<std::uint64_t> attend_calls{0}, attend_ns{0}, attend_bytes{0}, merge_ns{0};

  static void add(std::atomic<std::uint64_t>& to, std::uint64_t value) noexcept {
    to.fetch_add(value, std::memory_order_relaxed);
  }
};

class Stopwatch {
 public:
  std::uint64_t nanoseconds() const {
    const auto time = std::chrono::steady_clock::now() - start_;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace tq
