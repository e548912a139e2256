#include "layer_fields.hpp"

#include <algorithm>
#include <array>

namespace tq {
namespace {

// A name that this version does not know may be one of a later version: not damaged, but not understood either.
Format format_of(const Node& value) {
  constexpr std::array<std::pair<const char*, Format>, 4> kNames = {
      {{"tq4", Format::kTq4}, {"tq8", Format::kTq8}, {"f16", Format::kF16}, {"bf16", Format::kBf16}}};
  for (const auto& [name, format] : kNames)
    if (value.text() == name) return format;
  value.refuse(Status::kUnsupported, R"("tq4", "tq8", "f16" or "bf16")");
}

std::uint32_t exact_dtype_of(const Node& value) {
  constexpr std::array<std::pair<const char*, std::uint32_t>, 3> kNames = {
      {{"auto", 0}, {"float16", 2}, {"bfloat16", 3}}};  // TQ_DTYPE_AUTO, TQ_F16, TQ_BF16
  for (const auto& [name, dtype] : kNames)
    if (value.text() == name) return dtype;
  value.refuse(Status::kUnsupported, R"("auto", "float16" or "bfloat16")");
}

struct Field {
  const char* name;
  void (*read)(const Node& value, LayerOptions& layer);
};

// Names as in tq_layer_options. The two without key_ and value_ come first: they set both sides, and the field of one
// side in the same object wins.
constexpr std::array<Field, 18> kFields = {{
    {"group_size", [](const Node& v, LayerOptions& l) { l.keys.group = l.values.group = v.u32(); }},
    {"rotation_block",
     [](const Node& v, LayerOptions& l) { l.keys.rotation_block = l.values.rotation_block = v.u32(); }},
    {"kv_heads", [](const Node& v, LayerOptions& l) { l.kv_heads = v.u32(); }},
    {"key_dim", [](const Node& v, LayerOptions& l) { l.keys.dim = v.u32(); }},
    {"value_dim", [](const Node& v, LayerOptions& l) { l.values.dim = v.u32(); }},
    {"key_format", [](const Node& v, LayerOptions& l) { l.keys.format = format_of(v); }},
    {"value_format", [](const Node& v, LayerOptions& l) { l.values.format = format_of(v); }},
    {"key_group_size", [](const Node& v, LayerOptions& l) { l.keys.group = v.u32(); }},
    {"value_group_size", [](const Node& v, LayerOptions& l) { l.values.group = v.u32(); }},
    {"key_rotation_block", [](const Node& v, LayerOptions& l) { l.keys.rotation_block = v.u32(); }},
    {"value_rotation_block", [](const Node& v, LayerOptions& l) { l.values.rotation_block = v.u32(); }},
    {"center_keys", [](const Node& v, LayerOptions& l) { l.center_keys = v.flag(); }},
    {"scale_search", [](const Node& v, LayerOptions& l) { l.search = v.flag() ? 1 : 0; }},
    {"sink_tokens", [](const Node& v, LayerOptions& l) { l.sink_tokens = v.u32(); }},
    {"recent_blocks", [](const Node& v, LayerOptions& l) { l.recent_blocks = v.u32(); }},
    {"exact_dtype", [](const Node& v, LayerOptions& l) { l.exact_dtype = exact_dtype_of(v); }},
    {"window", [](const Node& v, LayerOptions& l) { l.window = v.u32(); }},
    {"seed", [](const Node& v, LayerOptions& l) { l.seed = v.seed(); }},
}};

}  // namespace

void read_layer_fields(const Node& object, const char* extra, LayerOptions& options) {
  std::array<const char*, kFields.size() + 1> names{};
  std::transform(kFields.begin(), kFields.end(), names.begin(), [](const Field& field) { return field.name; });
  names.back() = extra;
  object.expect_fields(names);
  for (const Field& field : kFields)
    if (object.has(field.name)) field.read(object.at(field.name), options);
}

}  // namespace tq
