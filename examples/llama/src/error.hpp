// How this example fails: one sentence that names the argument, its value, and what to do about it.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace llama {

// The user asked for something that cannot be done; the program prints the sentence and exits with 2.
struct BadInput : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Joins values of any streamable types: sentence("--group is ", 48, ": give 64 or 32").
template <class... Parts>
std::string sentence(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw BadInput(sentence(parts...));
}

}  // namespace llama
