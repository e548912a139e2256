// Sequence: append, read, truncate, fork. Its method attend is in attend.cpp.
#include "arguments.hpp"
#include "attend.hpp"
#include "tokens.hpp"

namespace tqpy {
namespace {

constexpr const char* kSequence = R"(The tokens of one conversation in a cache.

Parameters
----------
cache : Cache
    Lives at least as long as this object.

Notes
-----
One thread at a time may write a sequence (`append`, `truncate`, `close`), and nobody may use it meanwhile; any number of
threads may `attend` to, `read` or `fork` a sequence that nobody is writing. What breaks this rule raises `Busy`.
Different sequences are independent. All calls that work on tokens run without the GIL.)";

constexpr const char* kInit = R"(__init__(self, cache)
--

)";

constexpr const char* kAppend = R"(append(self, layer, keys, values, *, dtype=None)
--

Append tokens to one layer: all of them or, on any error, none.

Parameters
----------
layer : int
keys : array, shape (tokens, kv_heads, key_dim), float32, float16 or bfloat16
    After RoPE. Any strides, as long as the last axis is contiguous.
values : array, shape (tokens, kv_heads, value_dim), same type
dtype : {"float16", "bfloat16"}, optional
    What the bits are, if the arrays are uint16.

Raises
------
InvalidArgument
    If shapes or strides do not fit, or a value is NaN, infinite or out of range (with token, head and coordinate).
TypeError
    If an array is of another type or not in the CPU's memory.
OutOfMemory
    If the byte budget or the system refuses.
Busy
    If another thread is using this sequence.)";

constexpr const char* kRead = R"(read(self, layer, first=0, count=None, *, dtype="float32", out=None)
--

Decode the tokens ``first .. first + count - 1`` of one layer.

Parameters
----------
layer : int
first : int
count : int, optional
    All tokens from `first` on by default.
dtype : {"float32", "float16", "bfloat16"}
    Of new arrays, or what uint16 arrays in `out` get. New bfloat16 arrays are those of ml_dtypes where that is
    installed, and uint16 bits otherwise.
out : tuple of two arrays or None, optional
    Where keys, shape (count, kv_heads, key_dim), and values, shape (count, kv_heads, value_dim), are written; None
    in a place means not wanted.

Returns
-------
keys, values : tuple of arrays
    New ones, or what `out` holds.

Raises
------
InvalidArgument
    If there are no such tokens, or an array has the wrong shape or is read-only.
TypeError
    If an array of `out` is of another type or not in the CPU's memory.)";

constexpr const char* kLength = R"(length(self, layer=0)
--

Number of tokens appended to `layer` so far. Layers are appended one by one, so they differ within a forward pass.)";

constexpr const char* kTruncate = R"(truncate(self, length)
--

Cut every layer to at most `length` tokens.

Raises
------
InvalidArgument
    If no layer has that many tokens, or a sliding window has already released tokens that the next query would need.)";

constexpr const char* kFork = R"(fork(self)
--

A new sequence with the same tokens, sharing their memory.)";

constexpr const char* kClose = R"(close(self)
--

Free the sequence. Closing twice is allowed, and so is closing after the cache.

Raises
------
Busy
    If another thread is using the sequence.)";

void append(SequenceHandle& self, py::handle layer, py::handle keys, py::handle values, py::handle dtype) {
  const std::uint32_t index = u32_from(layer, "layer");
  const Bits bits(dtype);
  const TokenArrays tokens(keys, values, bits);
  bits.require_used();
  const tq_kv kv = tokens.as_kv(self.cache().layer(index));
  const WritingSequence writing(self);
  call_library([&](tq_error* err) { return tq_cache_append(self.cache().get(), self.get(), index, &kv, err); });
}

std::size_t length_of(const SequenceHandle& self, std::uint32_t layer) {
  std::size_t length = 0;
  call_library_holding_gil(
      [&](tq_error* err) { return tq_sequence_length(self.cache().get(), self.get(), layer, &length, err); });
  return length;
}

std::size_t length(SequenceHandle& self, py::handle layer) {
  const std::uint32_t index = u32_from(layer, "layer");
  const ReadingSequence reading(self);
  return length_of(self, index);
}

// The two targets of a read, one of which may be missing.
class ReadTargets {
 public:
  ReadTargets(py::handle keys, py::handle values, const LayerShape& layer, std::size_t count, const Bits& bits) {
    tq_kv_out_init(&out_, sizeof out_);
    out_.keys =
        add(keys, "out keys", layer.kv_heads, layer.key_dim, count, bits, out_.key_token_stride, out_.key_head_stride);
    out_.values = add(values, "out values", layer.kv_heads, layer.value_dim, count, bits, out_.value_token_stride,
                      out_.value_head_stride);
    if (out_.dtype == TQ_DTYPE_AUTO) out_.dtype = TQ_F32;  // neither is wanted
  }

  const tq_kv_out& get() const { return out_; }

 private:
  void* add(py::handle given, const char* name, std::size_t heads, std::size_t dim, std::size_t count, const Bits& bits,
            std::size_t& token_stride, std::size_t& head_stride) {
    if (given.is_none()) return nullptr;
    arrays_.push_back(Array::of(given, name, Access::write));
    const Array& array = arrays_.back();
    array.require_ndim(3, "(tokens, kv_heads, dim)");
    const auto dtype = static_cast<tq_dtype>(array.real_element(bits));
    if (out_.dtype != TQ_DTYPE_AUTO && out_.dtype != dtype)
      raise_type_error("%s has %s, but the keys are of another type", name, array.dtype_text().c_str());
    out_.dtype = dtype;
    if (array.shape(0) != count)
      raise_invalid("%s has the shape %s; expected (%zu, %zu, %zu)", name, array.shape_text().c_str(), count, heads,
                    dim);
    const Strides strides = strides_of(array, heads, dim);
    token_stride = strides.token;
    head_stride = strides.head;
    return array.data();
  }

  tq_kv_out out_;
  std::vector<Array> arrays_;
};

py::tuple read(SequenceHandle& self, py::handle layer, py::handle first_given, py::handle count_given, py::handle dtype,
               py::handle out) {
  const std::uint32_t index = u32_from(layer, "layer");
  const LayerShape& shape = self.cache().layer(index);
  const std::size_t first = size_from(first_given, "first");
  const Element element = element_from(dtype, "dtype", Element::f32);
  const ReadingSequence reading(self);
  const std::size_t length = length_of(self, index);
  if (count_given.is_none() && first > length)
    raise_invalid("first is %zu, but the layer has only %zu tokens", first, length);
  const std::size_t count = count_given.is_none() ? length - first : size_from(count_given, "count");
  if (out.is_none() && (first > length || count > length - first))
    raise_invalid("first is %zu and count %zu, but the layer has only %zu tokens", first, count, length);
  py::tuple result;
  if (out.is_none()) {
    result = py::make_tuple(new_array(element, {count, shape.kv_heads, shape.key_dim}),
                            new_array(element, {count, shape.kv_heads, shape.value_dim}));
  } else {
    if (!py::isinstance<py::tuple>(out) || py::len(out) != 2)
      raise_type_error("out is %s; expected a tuple (keys, values)", repr_of(out).c_str());
    result = py::reinterpret_borrow<py::tuple>(out);
  }
  const ReadTargets targets(result[0], result[1], shape, count, Bits(element));
  call_library([&](tq_error* err) {
    return tq_cache_read(self.cache().get(), self.get(), index, first, count, &targets.get(), err);
  });
  return result;
}

void truncate(SequenceHandle& self, py::handle length) {
  const std::size_t wanted = size_from(length, "length");
  const WritingSequence writing(self);
  call_library([&](tq_error* err) { return tq_sequence_truncate(self.cache().get(), self.get(), wanted, err); });
}

std::shared_ptr<SequenceHandle> create(py::handle cache) {
  if (!py::isinstance<CacheHandle>(cache))
    raise_type_error("cache is %s; expected a libturboquant.Cache", repr_of(cache).c_str());
  return std::make_shared<SequenceHandle>(cache.cast<std::shared_ptr<CacheHandle>>());
}

}  // namespace

SequenceHandle::SequenceHandle(std::shared_ptr<CacheHandle> cache) : cache_(std::move(cache)), sequence_(0) {
  const Reading reading(cache_->guard());
  call_library_holding_gil([&](tq_error* err) { return tq_sequence_create(cache_->get(), &sequence_, err); });
}

SequenceHandle::~SequenceHandle() {
  if (guard_.closed() || cache_->guard().try_read() < 0) return;
  tq_sequence_destroy(cache_->get(), sequence_, nullptr);
  cache_->guard().end_read();
}

std::shared_ptr<SequenceHandle> SequenceHandle::fork() {
  const ReadingSequence reading(*this);
  tq_sequence other = 0;
  call_library([&](tq_error* err) { return tq_sequence_fork(cache_->get(), sequence_, &other, err); });
  return std::make_shared<SequenceHandle>(cache_, other);
}

void SequenceHandle::close() {
  if (cache_->closed()) return;
  const Reading reading(cache_->guard());
  if (!guard_.close()) return;
  call_library([&](tq_error* err) { return tq_sequence_destroy(cache_->get(), sequence_, err); });
}

void register_sequence(py::module_& module) {
  py::class_<SequenceHandle, std::shared_ptr<SequenceHandle>> sequence(module, "Sequence", kSequence);
  sequence.def(py::init(&create), py::arg("cache"), kInit)
      .def("append", &append, py::arg("layer"), py::arg("keys"), py::arg("values"), py::kw_only(),
           py::arg("dtype") = py::none(), kAppend)
      .def("read", &read, py::arg("layer"), py::arg("first") = 0, py::arg("count") = py::none(), py::kw_only(),
           py::arg("dtype") = "float32", py::arg("out") = py::none(), kRead)
      .def("length", &length, py::arg("layer") = 0, kLength)
      .def("truncate", &truncate, py::arg("length"), kTruncate)
      .def("fork", &SequenceHandle::fork, kFork)
      .def("close", &SequenceHandle::close, kClose)
      .def_property_readonly("closed", &SequenceHandle::closed, "Whether this sequence or its cache is closed.")
      .def(
          "__enter__", [](py::object self) { return self; }, "__enter__(self)\n--\n\n")
      .def(
          "__exit__", [](SequenceHandle& self, const py::args&) { self.close(); }, "__exit__(self, *args)\n--\n\n");
  add_attend_method(sequence);
}

}  // namespace tqpy
