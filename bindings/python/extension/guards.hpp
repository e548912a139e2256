// Who is inside a handle. The GIL is released while the library works, so another thread may meanwhile close what is
// in use, or write what is being read; both are refused with tq.Busy instead of becoming undefined behaviour.
#pragma once

#include <atomic>
#include <cstdint>

#include "errors.hpp"

namespace tqpy {

// Counts readers; a writer, and closing, want to be alone.
class Guard {
 public:
  explicit Guard(const char* what) : what_(what) {}

  void begin_read() {
    const std::int32_t state = try_read();
    if (state < 0) refuse(state);
  }
  // What it found: negative if reading is not possible.
  std::int32_t try_read() noexcept {
    std::int32_t state = state_.load(std::memory_order_relaxed);
    while (state >= 0 && !state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire)) {
    }
    return state;
  }
  void end_read() noexcept { state_.fetch_sub(1, std::memory_order_release); }

  void begin_write() { leave_idle(kWriter); }
  void end_write() noexcept { state_.store(0, std::memory_order_release); }

  // False if it was closed before.
  bool close() {
    if (closed()) return false;
    leave_idle(kClosed);
    return true;
  }
  bool closed() const noexcept { return state_.load(std::memory_order_acquire) == kClosed; }

 private:
  static constexpr std::int32_t kWriter = -1;
  static constexpr std::int32_t kClosed = -2;

  void leave_idle(std::int32_t to) {
    std::int32_t state = 0;
    if (!state_.compare_exchange_strong(state, to, std::memory_order_acq_rel)) refuse(state);
  }

  [[noreturn]] void refuse(std::int32_t state) const {
    if (state == kClosed) raise_invalid("the %s is closed", what_);
    if (state == kWriter) raise_busy("another thread is writing this %s", what_);
    raise_busy("another thread is using this %s", what_);
  }

  const char* what_;
  std::atomic<std::int32_t> state_{0};  // number of readers, or one of the above
};

// RAII for the two kinds of access.
class Reading {
 public:
  explicit Reading(Guard& guard) : guard_(&guard) { guard.begin_read(); }
  Reading(Reading&& other) noexcept : guard_(other.guard_) { other.guard_ = nullptr; }
  Reading& operator=(Reading&&) = delete;
  ~Reading() {
    if (guard_ != nullptr) guard_->end_read();
  }

 private:
  Guard* guard_;
};

class Writing {
 public:
  explicit Writing(Guard& guard) : guard_(guard) { guard.begin_write(); }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() { guard_.end_write(); }

 private:
  Guard& guard_;
};

}  // namespace tqpy
