// Errors of the core: a status and a message for people, without allocation. The C API turns them into tq_status.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <exception>

namespace tq {

// Same numbers as tq_status.
enum class Status : std::int32_t {
  kOk = 0,
  kInvalidArgument = 1,
  kOutOfMemory = 2,
  kBufferTooSmall = 3,
  kCorruptData = 4,
  kUnsupported = 5,
  kInternal = 6,
  kNotFound = 7,
  kBusy = 8
};

class Error : public std::exception {
 public:
  Error(Status status, const char* format, std::va_list arguments) noexcept : status_(status) {
    std::vsnprintf(message_, sizeof message_, format, arguments);
  }
  Status status() const noexcept { return status_; }
  const char* what() const noexcept override { return message_; }

 private:
  Status status_;
  char message_[248];
};

[[noreturn]] __attribute__((format(printf, 2, 3))) inline void fail(Status status, const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const Error error(status, format, arguments);
  va_end(arguments);
  throw error;
}

[[noreturn]] __attribute__((format(printf, 1, 2))) inline void invalid(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const Error error(Status::kInvalidArgument, format, arguments);
  va_end(arguments);
  throw error;
}

}  // namespace tq
