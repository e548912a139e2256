// What goes to a terminal while one waits.
#pragma once

#include <cstddef>
#include <cstdio>

#if defined(_WIN32)
#include <io.h>
#else
#include <unistd.h>
#endif

namespace llama {

inline bool stderr_is_a_terminal() {
#if defined(_WIN32)
  return _isatty(2) != 0;
#else
  return isatty(2) != 0;
#endif
}

// A line on stderr that overwrites itself and disappears with the object; nothing at all if stderr is a file.
class ProgressLine {
 public:
  explicit ProgressLine(const char* what) : what_(what), shown_(stderr_is_a_terminal()) {}
  ~ProgressLine() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(std::size_t done, std::size_t all) {
    if (shown_) std::fprintf(stderr, "\r%s: %zu of %zu tokens", what_, done, all);
  }

 private:
  const char* what_;
  bool shown_;
};

}  // namespace llama
