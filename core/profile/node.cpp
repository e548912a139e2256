#include "node.hpp"

#include <algorithm>
#include <charconv>

namespace tq {
namespace {

// Value of "0x" and 1 to 16 hexadecimal digits; false if the text is anything else.
bool parse_hex(const std::string& text, std::uint64_t& value) {
  constexpr std::size_t kPrefix = 2, kMostDigits = 16;
  if (!text.starts_with("0x") || text.size() > kPrefix + kMostDigits) return false;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + kPrefix, end, value, 16);
  return result.ec == std::errc() && result.ptr == end;
}

// A name from the file: in quotes and escaped unless it is an ordinary one.
std::string quoted(const std::string& name) {
  const auto ordinary = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return name.size() < 40 && std::all_of(name.begin(), name.end(), ordinary) ? name : shown(name);
}

}  // namespace

void Node::refuse(Status status, const char* expected) const {
  fail(status, "%s is %s; expected %s", place_.empty() ? "the whole" : place_.c_str(), shown(value_).c_str(), expected);
}

const JsonValue* Node::find(const char* name) const {
  const auto found = std::find(value_.names.begin(), value_.names.end(), name);
  return found == value_.names.end() ? nullptr : &value_.items[static_cast<std::size_t>(found - value_.names.begin())];
}

Node Node::at(const char* name) const {
  const JsonValue* value = find(name);
  if (value == nullptr) fail(Status::kCorruptData, "%s is missing", place_of(name).c_str());
  return {*value, place_of(name)};
}

Node Node::at(std::size_t index) const { return {value_.items[index], place_ + "[" + std::to_string(index) + "]"}; }

void Node::expect_object() const {
  if (!is_object()) refuse(Status::kCorruptData, "an object");
}

void Node::expect_fields(std::span<const char* const> names) const {
  expect_object();
  for (const std::string& given : value_.names) {
    const auto is_given = [&](const char* name) { return name != nullptr && given == name; };
    if (std::none_of(names.begin(), names.end(), is_given))
      fail(Status::kUnsupported, "%s is not a field that this version knows", place_of(quoted(given)).c_str());
  }
}

std::size_t Node::array_size() const {
  if (value_.kind != JsonValue::Kind::kArray) refuse(Status::kCorruptData, "an array");
  return value_.items.size();
}

const std::string& Node::text() const {
  if (value_.kind != JsonValue::Kind::kText || value_.text.find('\0') != std::string::npos)
    refuse(Status::kCorruptData, "a string without NUL characters");
  return value_.text;
}

std::uint32_t Node::u32() const {
  if (value_.kind != JsonValue::Kind::kUnsigned || value_.number > UINT32_MAX)
    refuse(Status::kCorruptData, "an integer from 0 to 2^32 - 1");
  return static_cast<std::uint32_t>(value_.number);
}

bool Node::flag() const {
  if (value_.kind != JsonValue::Kind::kFlag) refuse(Status::kCorruptData, "true or false");
  return value_.flag;
}

std::uint64_t Node::seed() const {
  std::uint64_t value = 0;
  if (value_.kind == JsonValue::Kind::kUnsigned) return value_.number;
  if (value_.kind == JsonValue::Kind::kText && parse_hex(value_.text, value)) return value;
  refuse(Status::kCorruptData, "an integer from 0 to 2^64 - 1, or \"0x\" and 1 to 16 hexadecimal digits");
}

}  // namespace tq
