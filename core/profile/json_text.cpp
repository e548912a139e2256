#include "json_text.hpp"

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "support/error.hpp"

namespace tq {
namespace {

using Json = nlohmann::json;
using Kind = JsonValue::Kind;

// "[json.exception.parse_error.101] parse error at line 1, column 2: .." without what is in brackets.
const char* without_bracket(const char* message) {
  const char* end = std::strchr(message, ']');
  return end != nullptr && end[1] == ' ' ? end + 2 : message;
}

// Takes the parser's events and puts values together.
class Builder : public nlohmann::json_sax<Json> {
 public:
  JsonValue take() { return std::move(root_); }

  bool null() override { return add({}); }
  bool boolean(bool flag) override {
    JsonValue value = of(Kind::kFlag);
    value.flag = flag;
    return add(std::move(value));
  }
  bool number_unsigned(std::uint64_t number) override {
    JsonValue value = of(Kind::kUnsigned);
    value.number = number;
    return add(std::move(value));
  }
  bool number_integer(std::int64_t number) override { return add(of(Kind::kOtherNumber, std::to_string(number))); }
  bool number_float(double, const std::string& written) override { return add(of(Kind::kOtherNumber, written)); }
  bool string(std::string& text) override { return add(of(Kind::kText, text)); }
  bool binary(Json::binary_t&) override { return false; }  // not in text

  bool start_object(std::size_t) override { return open(Kind::kObject); }
  bool start_array(std::size_t) override { return open(Kind::kArray); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (!open_.back().known.insert(name).second)
      fail(Status::kCorruptData, "the field %s stands twice in one object", shown(name).c_str());
    open_.back().value.names.push_back(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    fail(Status::kCorruptData, "not JSON: %s", without_bracket(error.what()));
  }

 private:
  struct Open {  // an object or array whose end has not come yet
    JsonValue value;
    std::set<std::string> known;
  };

  static JsonValue of(Kind kind, std::string text = {}) {
    JsonValue value;
    value.kind = kind;
    value.text = std::move(text);
    return value;
  }

  bool open(Kind kind) {
    if (open_.size() == kMostJsonDepth)
      fail(Status::kCorruptData, "objects and arrays are nested more than %zu deep", kMostJsonDepth);
    open_.push_back({of(kind), {}});
    return true;
  }
  bool close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(value));
  }
  bool add(JsonValue value) {
    if (open_.empty())
      root_ = std::move(value);
    else
      open_.back().value.items.push_back(std::move(value));
    return true;
  }

  JsonValue root_;
  std::vector<Open> open_;
};

std::string cut(const std::string& text) {
  constexpr std::size_t kMost = 48;
  return text.size() <= kMost ? text : text.substr(0, kMost - 2) + "..";
}

}  // namespace

JsonValue parse_json(std::string_view text) {
  if (text.size() > kMostJsonBytes)
    fail(Status::kCorruptData, "longer than a profile may be, %zu bytes", kMostJsonBytes);
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) fail(Status::kCorruptData, "not JSON");
  return builder.take();
}

std::string shown(const std::string& text) { return cut(Json(text).dump(-1, ' ', /*ensure_ascii=*/true)); }

std::string shown(const JsonValue& value) {
  switch (value.kind) {
    case Kind::kNull: return "null";
    case Kind::kFlag: return value.flag ? "true" : "false";
    case Kind::kUnsigned: return std::to_string(value.number);
    case Kind::kOtherNumber: return cut(value.text);
    case Kind::kText: return shown(value.text);
    case Kind::kArray: return value.items.empty() ? "[]" : "[..]";
    case Kind::kObject: return value.items.empty() ? "{}" : "{..}";
  }
  return "";
}

}  // namespace tq
