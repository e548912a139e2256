#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "json_text.hpp"
#include "profile.hpp"
#include "support/error.hpp"

namespace tq {
namespace {

[[noreturn]] void fail_to_read(int error) {
  const Status status = error == ENOENT || error == ENOTDIR ? Status::kNotFound : Status::kInvalidArgument;
  fail(status, "cannot be read: %s", std::generic_category().message(error).c_str());
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

std::string read_profile_file(const char* path) {
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path, "rb"));
  if (!file) fail_to_read(errno);
  std::string text(kMostJsonBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) fail_to_read(errno);
  return text;
}

}  // namespace tq
