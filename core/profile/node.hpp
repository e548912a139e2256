// A JSON value together with its place, "layers[2].key_format", so that every refusal names field and value.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "json_text.hpp"
#include "support/error.hpp"

namespace tq {

class Node {
 public:
  // `place` is empty for the whole text.
  Node(const JsonValue& value, std::string place) : value_(value), place_(std::move(place)) {}

  const std::string& place() const { return place_; }
  bool is_object() const { return value_.kind == JsonValue::Kind::kObject; }

  // Of objects.
  bool has(const char* name) const { return find(name) != nullptr; }
  Node at(const char* name) const;  // or a refusal: it is missing
  std::string place_of(const std::string& name) const { return place_.empty() ? name : place_ + "." + name; }

  // Of arrays.
  Node at(std::size_t index) const;

  void expect_object() const;
  // Refuses names, too, that are none of these; one of these may be NULL.
  void expect_fields(std::span<const char* const> names) const;

  // The value, if it has the type.
  std::size_t array_size() const;
  const std::string& text() const;  // without NUL, which would end it in C
  std::uint32_t u32() const;
  bool flag() const;
  std::uint64_t seed() const;  // a number, or "0x" and up to 16 digits: not every JSON library keeps 64 bits

  // "<place> is <value>; expected <expected>"
  [[noreturn]] void refuse(Status status, const char* expected) const;

 private:
  const JsonValue* find(const char* name) const;

  const JsonValue& value_;
  std::string place_;
};

}  // namespace tq
