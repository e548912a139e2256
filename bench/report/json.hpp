// Results as JSON: {"machine": {..}, "protocol": {..}, "cases": [one object per case]}. docs/benchmarks.md explains the
// fields.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/measure.hpp"

namespace bench {

nlohmann::ordered_json json_of(const Result& result);
nlohmann::ordered_json machine_json();
nlohmann::ordered_json protocol_json(const Settings& settings);

}  // namespace bench
