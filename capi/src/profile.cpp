// Profiles: reading a file is the core's business; here its layers are judged as tq_cache_create would judge them.
#include "profile/profile.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "internal.hpp"
#include "layer_options.hpp"

using namespace tq;
using namespace tq::capi;

struct tq_profile {
  std::string name, fingerprint;
  std::vector<tq_layer_options> layers;
};

namespace {

// The end of a text that messages would not hold as a whole, or its beginning.
std::string end_of(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : ".." + text.substr(text.size() - most + 2);
}
std::string start_of(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 2) + "..";
}

// What is out of range in a file is damage, not an argument of the caller's.
Status status_of_content(Status status) { return status == Status::kInvalidArgument ? Status::kCorruptData : status; }

// Checks every layer as tq_cache_create would. Runs of equal layers are the rule, but checks are cheap.
std::vector<tq_layer_options> checked_layers(const Profile& profile) {
  std::vector<tq_layer_options> layers;
  layers.reserve(profile.layers.size());
  for (const LayerOptions& options : profile.layers) {
    layers.push_back(as_given(options));
    try {
      checked(layers.back());
    } catch (const Error& error) {
      fail(status_of_content(error.status()), "layer %zu: %s", layers.size() - 1, error.what());
    }
  }
  return layers;
}

void check_fingerprint(const Profile& profile, const char* wanted) {
  if (wanted == nullptr || profile.fingerprint == wanted) return;
  invalid("made for the model '%s' with the fingerprint '%s', but fingerprint is '%s': tune the model you have",
          start_of(profile.name, 24).c_str(), start_of(profile.fingerprint, 24).c_str(), start_of(wanted, 24).c_str());
}

tq_profile* make(std::string_view text, const char* fingerprint) {
  Profile profile = parse_profile(text);
  check_fingerprint(profile, fingerprint);
  std::vector<tq_layer_options> layers = checked_layers(profile);
  return new tq_profile{std::move(profile.name), std::move(profile.fingerprint), std::move(layers)};
}

// Runs `body` and puts `source` in front of its errors.
template <class Body>
auto from_source(const std::string& source, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    fail(error.status(), "%s: %s", source.c_str(), error.what());
  }
}

}  // namespace

extern "C" {

tq_status tq_profile_load(const char* path, const char* fingerprint, tq_profile** out, tq_error* err) {
  return guarded(err, [&] {
    require(path, "path");
    require(out, "out");
    constexpr std::size_t kMostOfPath = 80;
    *out = from_source(end_of(path, kMostOfPath), [&] { return make(read_profile_file(path), fingerprint); });
  });
}

tq_status tq_profile_parse(const char* text, size_t length, const char* fingerprint, tq_profile** out, tq_error* err) {
  return guarded(err, [&] {
    require(text, "text");
    require(out, "out");
    *out = from_source("text", [&] { return make({text, length}, fingerprint); });
  });
}

void tq_profile_destroy(tq_profile* profile) { delete profile; }

const char* tq_profile_name(const tq_profile* profile) { return profile == nullptr ? "" : profile->name.c_str(); }

const char* tq_profile_fingerprint(const tq_profile* profile) {
  return profile == nullptr ? "" : profile->fingerprint.c_str();
}

uint32_t tq_profile_layer_count(const tq_profile* profile) {
  return profile == nullptr ? 0 : static_cast<uint32_t>(profile->layers.size());
}

tq_status tq_profile_layer(const tq_profile* profile, uint32_t layer, tq_layer_options* out, tq_error* err) {
  return guarded(err, [&] {
    const uint32_t count = tq_profile_layer_count(require(profile, "profile"));
    const uint32_t size = require(out, "out")->struct_size;
    check_struct(out, size, sizeof *out, sizeof *out, "out");
    if (layer >= count) invalid("layer is %u; the profile has %u", layer, count);
    write_struct(out, size, profile->layers[layer]);
  });
}

tq_status tq_profile_cache_options(const tq_profile* profile, tq_cache_options* options, tq_error* err) {
  return guarded(err, [&] {
    require(profile, "profile");
    tq_cache_options own = read_struct(options, "options", tq_cache_options{});
    own.layer_count = tq_profile_layer_count(profile);
    own.layers = profile->layers.data();
    own.layers_given = 0;
    write_struct(options, options->struct_size, own);
  });
}

}  // extern "C"
