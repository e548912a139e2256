// A profile (docs/profile.md): the cache options that were chosen for one model, layer by layer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/layer.hpp"

namespace tq {

struct Profile {
  std::string name, fingerprint;     // of the model
  std::vector<LayerOptions> layers;  // values.dim may be 0: that of the keys
};

// Refuses, naming field and value, text that is no profile: Status::kCorruptData where it is damaged or wrong,
// Status::kUnsupported where a later version may know better. Ranges of the layers' numbers are not checked.
Profile parse_profile(std::string_view text);

// All bytes of a file, but no more than a profile may have and one more. Throws Status::kNotFound if there is none.
std::string read_profile_file(const char* path);

}  // namespace tq
