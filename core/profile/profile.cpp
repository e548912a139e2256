#include "profile.hpp"

#include <array>

#include "layer_fields.hpp"
#include "node.hpp"

namespace tq {
namespace {

constexpr const char* kFormat = "libturboquant-profile";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kMostLayers = 65536;  // as in a cache

void check_heading(const Node& root) {
  if (!root.is_object()) root.refuse(Status::kCorruptData, "a JSON object");
  const Node format = root.at("format"), version = root.at("version");
  if (format.text() != kFormat) format.refuse(Status::kCorruptData, "\"libturboquant-profile\"");
  if (version.u32() != kVersion) version.refuse(Status::kUnsupported, "1, the only version that this library reads");
  root.expect_fields(std::array{"format", "version", "model", "defaults", "layers", "notes"});
  if (root.has("notes")) root.at("notes").expect_object();
}

// Name and fingerprint; the number of layers is returned.
std::uint32_t read_model(const Node& model, Profile& profile) {
  model.expect_fields(std::array{"name", "fingerprint", "layer_count"});
  profile.name = model.at("name").text();
  profile.fingerprint = model.at("fingerprint").text();
  if (profile.fingerprint.empty()) model.at("fingerprint").refuse(Status::kCorruptData, "a string that is not empty");
  const Node count = model.at("layer_count");
  if (count.u32() == 0 || count.u32() > kMostLayers) count.refuse(Status::kCorruptData, "an integer from 1 to 65536");
  return count.u32();
}

// Where the entry of each layer stands in the list `layers`; -1 if it has none.
std::vector<int> entries_of(const Node& list, std::uint32_t layer_count) {
  std::vector<int> entries(layer_count, -1);
  for (std::size_t i = 0; i < list.array_size(); ++i) {
    const Node entry = list.at(i);
    entry.expect_object();
    const Node layer = entry.at("layer");
    if (layer.u32() >= layer_count) {
      fail(Status::kCorruptData, "%s is %u, but the model has %u layers", layer.place().c_str(), layer.u32(),
           layer_count);
    }
    int& known = entries[layer.u32()];
    if (known >= 0) fail(Status::kCorruptData, "%s is %u, as in layers[%d]", layer.place().c_str(), layer.u32(), known);
    known = static_cast<int>(i);
  }
  return entries;
}

void require_shape(const Node& defaults, const Node* entry, std::size_t layer) {
  for (const char* name : {"kv_heads", "key_dim"}) {
    if (!defaults.has(name) && (entry == nullptr || !entry->has(name)))
      fail(Status::kCorruptData, "%s is missing: neither defaults nor layers say it of layer %zu", name, layer);
  }
}

}  // namespace

Profile parse_profile(std::string_view text) {
  const JsonValue json = parse_json(text);
  const Node root(json, "");
  check_heading(root);
  Profile profile;
  const std::uint32_t layer_count = read_model(root.at("model"), profile);
  const Node defaults = root.at("defaults"), list = root.at("layers");
  LayerOptions common;
  read_layer_fields(defaults, nullptr, common);
  const std::vector<int> entries = entries_of(list, layer_count);
  profile.layers.assign(layer_count, common);
  for (std::size_t layer = 0; layer < layer_count; ++layer) {
    if (entries[layer] < 0) {
      require_shape(defaults, nullptr, layer);
      continue;
    }
    const Node entry = list.at(static_cast<std::size_t>(entries[layer]));
    read_layer_fields(entry, "layer", profile.layers[layer]);
    require_shape(defaults, &entry, layer);
  }
  return profile;
}

}  // namespace tq
