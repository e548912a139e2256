#include "report/json.hpp"

#include <cmath>
#include <string>
#include <thread>

#include "baselines/table.hpp"
#include "ggml/ggml.hpp"
#include "harness/machine.hpp"
#include "turboquant/turboquant.h"

namespace bench {

using nlohmann::ordered_json;

namespace {

double rounded(double value, int digits = 4) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double unit = std::pow(10.0, digits - 1 - std::floor(std::log10(std::fabs(value))));
  return std::round(value * unit) / unit;
}

ordered_json timing_json(const Timing& timing) {
  ordered_json json;
  json["name"] = timing.name;
  json["ns"] = rounded(timing.ns);
  json["ns_median"] = rounded(timing.median_ns);
  json["rounds"] = timing.rounds;
  if (timing.bytes > 0) json["bytes"] = timing.bytes;
  if (timing.limit.ns > 0) {
    json["limit"] = timing.limit.what;
    json["limit_ns"] = rounded(timing.limit.ns);
    json["of_limit"] = rounded(timing.limit.ns / timing.ns, 3);
  }
  if (!timing.note.empty()) json["note"] = timing.note;
  return json;
}

// vs_ggml compares with the fastest of ggml's cache types, vs_ggml_q8_0 and so on with each.
void put_ratio(ordered_json& json, const std::string& field, double ratio) {
  const double value = rounded(ratio, 3);
  json[field] = value;
  if (!field.starts_with("vs_ggml_")) return;
  if (!json.contains("vs_ggml") || json["vs_ggml"] > value) json["vs_ggml"] = value;
}

}  // namespace

ordered_json json_of(const Result& result) {
  const Timing& ours = result.timings.front();
  ordered_json json = timing_json(ours);
  json["name"] = result.name;
  json["description"] = result.description;
  json["unit"] = result.unit;
  json["units"] = result.units;
  json["ns_per_unit"] = rounded(ours.ns / result.units);
  json["threads"] = result.threads;
  json["clock"] = result.cpu_time ? "thread cpu" : "wall";
  json["pinned"] = result.pinned;
  if (result.read_gbps > 0) json["read_gb_per_s"] = rounded(result.read_gbps, 3);
  if (result.adds_per_ns > 0) json["adds_per_ns"] = rounded(result.adds_per_ns, 3);
  if (result.fmas_per_ns > 0) json["fmas_per_ns"] = rounded(result.fmas_per_ns, 3);
  if (result.dots_per_ns > 0) json["dots_per_ns"] = rounded(result.dots_per_ns, 3);
  if (result.clock_ghz > 0) {
    json["clock_ghz"] = rounded(result.clock_ghz, 3);
    json["cycles_per_unit"] = rounded(ours.ns / result.units * result.clock_ghz);
  }
  for (std::size_t i = 1; i < result.timings.size(); ++i) {
    const Timing& other = result.timings[i];
    const std::string name = other.name.starts_with("tq_") ? other.name.substr(3) : other.name;
    put_ratio(json, "vs_" + name, other.ns / ours.ns);
    if (other.name == "fwht") json["transforms"] = rounded(ours.ns / other.ns, 3);
    json["baselines"].push_back(timing_json(other));
  }
  return json;
}

ordered_json machine_json() {
  ordered_json json;
  json["cpu"] = cpu_name();
  json["cores"] = std::thread::hardware_concurrency();
  json["load_average"] = rounded(load_average(), 2);
  json["l1d_bytes"] = cache_bytes(1);
  json["l2_bytes"] = cache_bytes(2);
  json["l3_bytes"] = cache_bytes(3);
#if defined(__clang__)
  json["compiler"] = "clang " __clang_version__;
#else
  json["compiler"] = "g++ " __VERSION__;
#endif
  json["library"] = tq_version_string();
  json["target"] = tq_cpu_target();
  json["baselines"] = baselines().attention.name;
  if (ggml_available()) json["ggml"] = ggml_source();
  json["dot_instruction"] = baselines().limits.dot_instruction;
  return json;
}

ordered_json protocol_json(const Settings& settings) {
  return {{"rounds", settings.rounds},
          {"case_seconds", settings.case_seconds},
          {"sample_ns", settings.sample_ns},
          {"passes", settings.passes}};
}

}  // namespace bench
