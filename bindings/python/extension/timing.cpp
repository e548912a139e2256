// Private: the time of one call into the library as C++ sees it, for bench/overhead.py.
#include <pybind11/numpy.h>

#include <chrono>

#include "handles.hpp"

namespace tqpy {
namespace {

using Floats = py::array_t<float, py::array::c_style>;

template <class Call>
std::int64_t nanoseconds(Call call) {
  ErrorBuffer err;
  const auto start = std::chrono::steady_clock::now();
  const tq_status status = call(&err);
  const auto end = std::chrono::steady_clock::now();
  check(status, err);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count();
}

void require_shape(const Floats& array, const char* name, std::size_t heads, std::size_t dim) {
  if (array.ndim() == 3 && static_cast<std::size_t>(array.shape(1)) == heads &&
      static_cast<std::size_t>(array.shape(2)) == dim)
    return;
  raise_invalid("%s is not of shape (count, %zu, %zu)", name, heads, dim);
}

std::int64_t time_attend(SequenceHandle& self, const Floats& query, Floats& out) {
  const LayerShape& layer = self.cache().layer(0);
  const std::size_t q_heads = query.ndim() == 3 ? static_cast<std::size_t>(query.shape(1)) : 0;
  require_shape(query, "query", q_heads, layer.key_dim);
  require_shape(out, "out", q_heads, layer.value_dim);
  if (query.shape(0) != out.shape(0)) raise_invalid("query and out have different numbers of tokens");
  tq_attend_options options;
  tq_attend_options_init(&options, sizeof options);
  options.q_heads = static_cast<std::uint32_t>(q_heads);
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = self.get();
  item.n_query = static_cast<std::size_t>(query.shape(0));
  item.query = query.data();
  item.output = out.mutable_data();
  const ReadingSequence reading(self);
  return nanoseconds([&](tq_error* err) { return tq_attend(self.cache().get(), &options, &item, 1, err); });
}

std::int64_t time_append(SequenceHandle& self, const Floats& keys, const Floats& values) {
  const LayerShape& layer = self.cache().layer(0);
  require_shape(keys, "keys", layer.kv_heads, layer.key_dim);
  require_shape(values, "values", layer.kv_heads, layer.value_dim);
  if (keys.shape(0) != values.shape(0)) raise_invalid("keys and values have different numbers of tokens");
  tq_kv kv;
  tq_kv_init(&kv, sizeof kv);
  kv.dtype = TQ_F32;
  kv.count = static_cast<std::size_t>(keys.shape(0));
  kv.keys = keys.data();
  kv.values = values.data();
  const WritingSequence writing(self);
  return nanoseconds([&](tq_error* err) { return tq_cache_append(self.cache().get(), self.get(), 0, &kv, err); });
}

}  // namespace

void register_timing(py::module_& module) {
  module.def("_time_attend", &time_attend, py::arg("sequence"), py::arg("query"), py::arg("out"),
             "_time_attend(sequence, query, out)\n--\n\nNanoseconds of one tq_attend on layer 0; float32 arrays.");
  module.def("_time_append", &time_append, py::arg("sequence"), py::arg("keys"), py::arg("values"),
             "_time_append(sequence, keys, values)\n--\n\n"
             "Nanoseconds of one tq_cache_append on layer 0; float32 arrays.");
}

}  // namespace tqpy
