// Cache: creating, closing, statistics. libturboquant/_cache.py derives the public class from it.
#include "arguments.hpp"
#include "elements.hpp"
#include "handles.hpp"

namespace tqpy {
namespace {

constexpr const char* kCache = "The part of `libturboquant.Cache` that holds the handle.";

constexpr const char* kInit = R"(__init__(self, layers, layer_count, byte_budget)
--

)";

constexpr const char* kClose = R"(close(self)
--

Free the cache and every sequence in it. Closing twice is allowed; sequences of a closed cache raise `InvalidArgument`.

Raises
------
Busy
    If another thread is inside a call that uses the cache.)";

constexpr const char* kStats = R"(_stats(self)
--

The fields of tq_cache_statistics.)";

constexpr const char* kDefaults = R"(layer_defaults()
--

The fields of tq_layer_options as tq_layer_options_init sets them.)";

tq_layer_options default_layer() {
  tq_layer_options layer;
  tq_layer_options_init(&layer, sizeof layer);
  return layer;
}

// From an object with the fields of libturboquant.LayerOptions.
tq_layer_options layer_from(py::handle options) {
  const auto u32 = [&](const char* name) { return u32_from(options.attr(name), name); };
  const auto flag = [&](const char* name) { return flag_from(options.attr(name), name); };
  tq_layer_options layer = default_layer();
  layer.kv_heads = u32("kv_heads");
  layer.key_dim = u32("key_dim");
  layer.value_dim = u32("value_dim");
  layer.key_format = format_from(options.attr("key_format"), "key_format");
  layer.value_format = format_from(options.attr("value_format"), "value_format");
  layer.key_group_size = u32("key_group_size");
  layer.value_group_size = u32("value_group_size");
  layer.key_rotation_block = u32("key_rotation_block");
  layer.value_rotation_block = u32("value_rotation_block");
  layer.center_keys = flag("center_keys");
  layer.scale_search = flag("scale_search");
  layer.sink_tokens = u32("sink_tokens");
  layer.recent_blocks = u32("recent_blocks");
  layer.exact_dtype = exact_dtype_from(options.attr("exact_dtype"), "exact_dtype");
  layer.window = u32("window");
  layer.seed = u64_from(options.attr("seed"), "seed");
  return layer;
}

std::shared_ptr<CacheHandle> create(const py::iterable& layers, py::handle layer_count, py::handle byte_budget) {
  std::vector<tq_layer_options> given;
  std::vector<LayerShape> shapes;
  for (const py::handle layer : layers) {
    given.push_back(layer_from(layer));
    const tq_layer_options& last = given.back();
    shapes.push_back({last.kv_heads, last.key_dim, last.value_dim != 0 ? last.value_dim : last.key_dim});
  }
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  options.layer_count = u32_from(layer_count, "layer_count");
  options.layers = given.data();
  options.layers_given = static_cast<std::uint32_t>(given.size());
  options.byte_budget = u64_from(byte_budget, "byte_budget");
  if (given.empty()) raise_invalid("layers is empty; expected at least one description");
  tq_cache* cache = nullptr;
  call_library_holding_gil([&](tq_error* err) { return tq_cache_create(&options, &cache, err); });
  return std::make_shared<CacheHandle>(cache, std::move(shapes), options.layer_count);
}

py::dict stats(CacheHandle& self) {
  const Reading reading(self.guard());
  tq_cache_statistics stats;
  tq_cache_statistics_init(&stats, sizeof stats);
  call_library_holding_gil([&](tq_error* err) { return tq_cache_stats(self.get(), &stats, err); });
  using namespace py::literals;
  return py::dict("sequences"_a = stats.sequences, "tokens"_a = stats.tokens, "coded_tokens"_a = stats.coded_tokens,
                  "bytes"_a = stats.bytes, "peak_bytes"_a = stats.peak_bytes, "budget_bytes"_a = stats.budget_bytes,
                  "code_bytes"_a = stats.code_bytes, "scale_bytes"_a = stats.scale_bytes,
                  "mean_bytes"_a = stats.mean_bytes, "exact_bytes"_a = stats.exact_bytes,
                  "overhead_bytes"_a = stats.overhead_bytes, "coded_bytes"_a = stats.coded_bytes,
                  "bytes_16bit"_a = stats.bytes_16bit, "coded_bytes_16bit"_a = stats.coded_bytes_16bit,
                  "ratio"_a = stats.ratio, "ratio_coded"_a = stats.ratio_coded, "append_calls"_a = stats.append_calls,
                  "append_ns"_a = stats.append_ns, "append_bytes"_a = stats.append_bytes,
                  "attend_calls"_a = stats.attend_calls, "attend_ns"_a = stats.attend_ns,
                  "attend_bytes"_a = stats.attend_bytes, "merge_ns"_a = stats.merge_ns);
}

py::dict layer_defaults() { return fields_of(default_layer()); }

}  // namespace

py::dict fields_of(const tq_layer_options& layer) {
  using namespace py::literals;
  return py::dict("kv_heads"_a = layer.kv_heads, "key_dim"_a = layer.key_dim, "value_dim"_a = layer.value_dim,
                  "key_format"_a = format_name(layer.key_format), "value_format"_a = format_name(layer.value_format),
                  "key_group_size"_a = layer.key_group_size, "value_group_size"_a = layer.value_group_size,
                  "key_rotation_block"_a = layer.key_rotation_block,
                  "value_rotation_block"_a = layer.value_rotation_block, "center_keys"_a = layer.center_keys != 0,
                  "scale_search"_a = layer.scale_search != 0, "sink_tokens"_a = layer.sink_tokens,
                  "recent_blocks"_a = layer.recent_blocks, "exact_dtype"_a = exact_dtype_name(layer.exact_dtype),
                  "window"_a = layer.window, "seed"_a = layer.seed);
}

const LayerShape& CacheHandle::layer(std::uint32_t index) const {
  if (index >= layer_count_) raise_invalid("layer is %u; the cache has %u", index, layer_count_);
  return layers_[layers_.size() == 1 ? 0 : index];
}

void CacheHandle::close() {
  if (!guard_.close()) return;
  tq_cache* cache = cache_;
  cache_ = nullptr;
  py::gil_scoped_release released;
  tq_cache_destroy(cache);
}

void register_cache(py::module_& module) {
  module.def("layer_defaults", &layer_defaults, kDefaults);
  py::class_<CacheHandle, std::shared_ptr<CacheHandle>>(module, "Cache", kCache)
      .def(py::init(&create), py::arg("layers"), py::arg("layer_count"), py::arg("byte_budget"), kInit)
      .def_property_readonly("layer_count", &CacheHandle::layer_count, "Number of layers.")
      .def_property_readonly("closed", &CacheHandle::closed, "Whether `close` was called.")
      .def("_stats", &stats, kStats)
      .def("close", &CacheHandle::close, kClose);
}

}  // namespace tqpy
