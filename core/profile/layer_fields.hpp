// The fields of a layer in a profile: their names, and what they set.
#pragma once

#include "codec/layer.hpp"
#include "node.hpp"

namespace tq {

// Writes the fields that the object has into `options` and refuses names that no field has; `extra`, unless it is
// NULL, is one more name that the object may have. Only types are checked: ranges are the business of whoever makes a
// cache of it.
void read_layer_fields(const Node& object, const char* extra, LayerOptions& options);

}  // namespace tq
