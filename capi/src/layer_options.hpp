// Options of a layer: defaults, checks, and the way between the struct of C and that of the core.
#pragma once

#include "codec/layer.hpp"
#include "internal.hpp"

namespace tq::capi {

tq_layer_options default_layer_options();

// What the cache works with; refuses what is out of range. No other code judges the fields of a layer.
LayerOptions checked(const tq_layer_options& given);

// The fields one to one, nothing checked.
tq_layer_options as_given(const LayerOptions& options);

}  // namespace tq::capi
