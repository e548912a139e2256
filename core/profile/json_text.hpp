// Text to JSON values, within limits that a file from a stranger cannot exceed.
//
// nlohmann-json parses; the values are our own, because its values allocate memory in their destructor, which ends the
// program where there is none left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tq {

struct JsonValue {
  enum class Kind { kNull, kFlag, kUnsigned, kOtherNumber, kText, kArray, kObject };

  Kind kind = Kind::kNull;
  bool flag = false;
  std::uint64_t number = 0;        // kUnsigned: exact
  std::string text;                // kText; of kOtherNumber how it is written
  std::vector<std::string> names;  // kObject: of the items
  std::vector<JsonValue> items;    // kArray and kObject
};

inline constexpr std::size_t kMostJsonBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMostJsonDepth = 32;

// Refuses, with Status::kCorruptData, what is not JSON in UTF-8, is longer or nested deeper than above, or has a name
// twice in one object (readers disagree on which one counts).
JsonValue parse_json(std::string_view text);

// As messages show it: JSON in ASCII, cut short; of arrays and objects hardly more than what they are.
std::string shown(const JsonValue& value);
std::string shown(const std::string& text);

}  // namespace tq
