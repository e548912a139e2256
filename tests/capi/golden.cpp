#include "golden.hpp"

#include <cmath>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace tq_test::golden {
namespace {

struct Scaled {
  std::int64_t integer, exponent;
};

// Names as in the table of tests/golden/README.md.
Scaled element(const Json& input, std::int64_t t, std::int64_t h, std::int64_t j, std::int64_t dim) {
  const auto parameter = [&](const char* name) { return input.value(name, std::int64_t{0}); };
  const std::string kind = input.at("kind");
  const std::int64_t exponent = parameter("exponent"), seed = parameter("seed"), integer = parameter("integer");
  const std::int64_t base = (131 * t + 37 * h + 71 * j + 3 * t * j + 5 * j * j + 101 * seed) % 509 - 254;
  if (kind == "pattern") return {base, exponent};
  if (kind == "range") return {base, exponent + (7 * t + 3 * h + 5 * j + seed) % parameter("span")};
  if (kind == "offset")
    return {(131 * t + 37 * h + 71 * j + 3 * t * j + 101 * seed) % 61 - 30 +
                2 * ((7 * j * j + 13 * h + 17 * seed) % 97 - 48),
            exponent};
  if (kind == "zero") return {0, 0};
  if (kind == "constant") return {integer, exponent};
  if (kind == "spike") return {j == (7 * t + 3 * h + seed) % dim ? integer : 0, exponent + t % 8};
  if (kind == "loud_token") return {base, exponent + (t % 64 == 21 ? 20 : 0)};
  if (kind == "alternating") return {(1 + t % 5) * (j % 2 == 1 ? -1 : 1), exponent};
  if (kind == "ties") return {j % 8 == 0 ? 4096 : 2 * ((13 * t + 5 * h + 3 * j + seed) % 100) + 1, exponent};
  if (kind == "ties8") return {j % 8 == 0 ? 254 : 2 * ((13 * t + 5 * h + 3 * j + seed) % 127) + 1, exponent};
  if (kind == "ramp") return {(t * dim + j) % 255 - 127, exponent};
  if (kind == "group_steps") return {base, exponent - 9 * ((j / 64 + t) % 4)};
  if (kind == "integers")
    return {(1361 * t + 37 * h + 711 * j + 3 * t * j + 5 * j * j + 101 * seed) % 8191 - 4095, exponent};
  if (kind == "fine")
    return {(1048573 * t + 524287 * h + 786433 * j + 65521 * t * j + 262139 * seed) % 16777213 - 8388606, exponent};
  throw std::runtime_error("no such kind of input: " + kind);
}

std::uint8_t nibble(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<std::uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<std::uint8_t>(digit - 'a' + 10);
  throw std::runtime_error(std::string("not a hex digit: ") + digit);
}

Bytes bytes_of(const std::vector<float>& values) {
  Bytes bytes;
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  return bytes;
}

}  // namespace

std::vector<Json> cases(const std::string& file) {
  std::ifstream stream(std::string(TQ_GOLDEN_DIR) + "/v1/" + file);
  if (!stream) throw std::runtime_error("cannot open " TQ_GOLDEN_DIR "/v1/" + file);
  const Json content = Json::parse(stream);
  if (content.at("version") != 1) throw std::runtime_error(file + " is not version 1");
  auto result = content.at("cases").get<std::vector<Json>>();
  if (result.empty()) throw std::runtime_error(file + " holds no cases");
  return result;
}

std::vector<float> rows(const Json& input, std::size_t first, std::size_t count, std::size_t heads, std::size_t dim) {
  std::vector<float> values;
  for (std::size_t t = first; t < first + count; ++t)
    for (std::size_t h = 0; h < heads; ++h)
      for (std::size_t j = 0; j < dim; ++j) {
        const Scaled scaled = element(input, static_cast<std::int64_t>(t), static_cast<std::int64_t>(h),
                                      static_cast<std::int64_t>(j), static_cast<std::int64_t>(dim));
        values.push_back(std::ldexp(static_cast<float>(scaled.integer), static_cast<int>(scaled.exponent)));
      }
  return values;
}

tq_dtype dtype(const std::string& name) {
  if (name == "auto") return TQ_DTYPE_AUTO;
  if (name == "f32") return TQ_F32;
  if (name == "f16") return TQ_F16;
  if (name == "bf16") return TQ_BF16;
  throw std::runtime_error("no such dtype: " + name);
}

tq_format format(const std::string& name) {
  if (name == "tq4") return TQ_FORMAT_TQ4;
  if (name == "tq8") return TQ_FORMAT_TQ8;
  if (name == "f16") return TQ_FORMAT_F16;
  if (name == "bf16") return TQ_FORMAT_BF16;
  throw std::runtime_error("no such format: " + name);
}

tq_layer_options layer(const Json& options) {
  tq_layer_options result;
  tq_layer_options_init(&result, sizeof result);
  result.kv_heads = options.at("kv_heads");
  result.key_dim = options.at("key_dim");
  result.value_dim = options.at("value_dim");
  result.key_format = format(options.at("key_format"));
  result.value_format = format(options.at("value_format"));
  result.key_group_size = options.at("key_group_size");
  result.value_group_size = options.at("value_group_size");
  result.key_rotation_block = options.at("key_rotation_block");
  result.value_rotation_block = options.at("value_rotation_block");
  result.center_keys = options.at("center_keys");
  result.scale_search = options.at("scale_search");
  result.sink_tokens = options.at("sink_tokens");
  result.recent_blocks = options.at("recent_blocks");
  result.exact_dtype = dtype(options.at("exact_dtype"));
  result.window = options.at("window");
  result.seed = std::stoull(options.at("seed").get<std::string>(), nullptr, 16);
  return result;
}

Bytes bytes_of_hex(const std::string& hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(nibble(hex[i]) * 16 + nibble(hex[i + 1])));
  return bytes;
}

std::string hex_of(const Bytes& bytes) {
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::vector<float> floats_of_hex(const std::string& hex) {
  const Bytes bytes = bytes_of_hex(hex);
  std::vector<float> values;
  for (std::size_t i = 0; i + 3 < bytes.size(); i += 4) {
    std::uint32_t bits = 0;
    for (std::size_t b = 0; b < 4; ++b) bits |= std::uint32_t{bytes[i + b]} << (8 * b);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    values.push_back(value);
  }
  return values;
}

std::string hex_of(const std::vector<float>& values) { return hex_of(bytes_of(values)); }

std::string fnv1a64(const std::vector<float>& values) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::uint8_t byte : bytes_of(values)) hash = (hash ^ byte) * 0x100000001b3u;
  Bytes big_endian;
  for (int shift = 56; shift >= 0; shift -= 8) big_endian.push_back(static_cast<std::uint8_t>(hash >> shift));
  return "0x" + hex_of(big_endian);
}

Tokens Steps::tokens(std::size_t first, std::size_t count) const {
  const std::uint32_t value_dim = layer_.value_dim == 0 ? layer_.key_dim : layer_.value_dim;
  return {{layer_.kv_heads, layer_.key_dim, value_dim},
          rows(case_.at("key_input"), first, count, layer_.kv_heads, layer_.key_dim),
          rows(case_.at("value_input"), first, count, layer_.kv_heads, value_dim)};
}

}  // namespace tq_test::golden
