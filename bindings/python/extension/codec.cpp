// Codec: vectors to bytes and back.
#include "arguments.hpp"
#include "handles.hpp"
#include "tokens.hpp"
#include "transform.hpp"

namespace tqpy {
namespace {

constexpr const char* kCodec =
    R"(Encodes vectors of `head_dim` numbers into bytes and back. Immutable; may be used by many threads at once.

Parameters
----------
head_dim : int
    Values per vector, 1 to 1024.
format : {"tq4", "tq8", "f16", "bf16"}
group_size : {64, 32}
    Values per scale.
rotation_block : int
    A power of two that divides `head_dim`; 1: signs only; 0: the largest.
scale_search : bool
    Best of seven scales by squared error, or the scale from the norm alone.
layout : {"vectors", "blocks"}
    One record after another, or blocks of 64 interleaved vectors: the fastest for `scores`.
seed : int
    Of the random signs. Equal options and seed give equal bytes on every CPU.

Raises
------
InvalidArgument
    If an option is out of range.)";

constexpr const char* kInit =
    R"(__init__(self, head_dim, *, format="tq4", group_size=64, rotation_block=0, scale_search=True, layout="vectors", seed=8391737167855840884)
--

)";

constexpr const char* kEncodedBytes = R"(encoded_bytes(self, count)
--

Bytes that `count` encoded vectors take.)";

constexpr const char* kEncode = R"(encode(self, vectors, *, dtype=None, out=None)
--

Encode vectors. Bit-exact on every CPU.

Parameters
----------
vectors : array, shape (count, head_dim), float32, float16 or bfloat16
    Any step from row to row, as long as the last axis is contiguous.
dtype : {"float16", "bfloat16"}, optional
    What the bits are, if the array is uint16.
out : uint8 array or writable buffer, C-contiguous, optional
    At least `encoded_bytes(count)` long.

Returns
-------
codes : array, uint8
    `out`, or a new array: shape (count, vector_bytes) in layout "vectors", (encoded_bytes(count),) in "blocks".

Raises
------
InvalidArgument
    If the shape does not fit, or a value is NaN, infinite or beyond 2**60.
BufferTooSmall
    If `out` is too short.
TypeError
    If an array is of another type or not in the CPU's memory.)";

constexpr const char* kDecode = R"(decode(self, codes, first=0, count=None, *, dtype="float32", out=None)
--

Decode the vectors ``first .. first + count - 1``.

Parameters
----------
codes : uint8 array, bytes or another buffer, C-contiguous
    From `encode`.
first : int
count : int, optional
    By default all from `first` on; required in layout "blocks", where the last block may be incomplete.
dtype : {"float32", "float16", "bfloat16"}
    Of the new array, or what a uint16 `out` gets. 16-bit types round to nearest even; float16 saturates.
out : array, shape (count, head_dim), optional

Returns
-------
array, shape (count, head_dim)
    `out`, or a new NumPy array.

Raises
------
InvalidArgument
    If a shape does not fit.
BufferTooSmall
    If `codes` does not hold so many vectors.)";

constexpr const char* kScores = R"(scores(self, codes, queries, *, count=None, out=None)
--

All dot products of queries with encoded vectors.

Parameters
----------
codes : uint8 array, bytes or another buffer, C-contiguous
queries : array, shape (n_query, head_dim), float32, C-contiguous
count : int, optional
    Number of vectors; required in layout "blocks".
out : array, shape (n_query, count), float32, C-contiguous, optional

Returns
-------
array, shape (n_query, count), float32
    `out`, or a new NumPy array.

Raises
------
InvalidArgument
    If a shape does not fit.
BufferTooSmall
    If `codes` does not hold so many vectors.)";

constexpr const char* kRotate = R"(rotate(self, rows, *, out=None)
--

Rotate rows: ``H S x / sqrt(n)``.

Parameters
----------
rows : array, shape (..., head_dim), float32, C-contiguous
out : array like rows, optional
    Gets the result; ``out=rows`` works in place. A new NumPy array by default.

Returns
-------
array
    `out`, or the new array.)";

constexpr const char* kUnrotate = R"(unrotate(self, rows, *, out=None)
--

The inverse of `rotate`, with the same arguments.)";

constexpr const char* kClose = R"(close(self)
--

Free the codec. Closing twice is allowed.

Raises
------
Busy
    If another thread is using it.)";

class Codec {
 public:
  explicit Codec(const tq_codec_options& options) : options_(options) {
    call_library_holding_gil([&](tq_error* err) { return tq_codec_create(&options_, &codec_, err); });
  }
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  ~Codec() { tq_codec_destroy(codec_); }

  void close() {
    if (!guard_.close()) return;
    tq_codec_destroy(codec_);
    codec_ = nullptr;
  }

  const tq_codec* get() const { return codec_; }
  Guard& guard() { return guard_; }
  const tq_codec_options& options() const { return options_; }
  bool in_blocks() const { return options_.layout == TQ_LAYOUT_BLOCKS; }

 private:
  tq_codec_options options_;
  tq_codec* codec_ = nullptr;
  Guard guard_{"codec"};
};

std::unique_ptr<Codec> create(py::handle head_dim, py::handle format, py::handle group_size, py::handle rotation_block,
                              py::handle scale_search, py::handle layout, py::handle seed) {
  tq_codec_options options;
  tq_codec_options_init(&options, sizeof options);
  options.head_dim = u32_from(head_dim, "head_dim");
  options.format = format_from(format, "format");
  options.group_size = u32_from(group_size, "group_size");
  options.rotation_block = u32_from(rotation_block, "rotation_block");
  options.scale_search = flag_from(scale_search, "scale_search");
  options.layout = layout_from(layout, "layout");
  options.seed = u64_from(seed, "seed");
  return std::make_unique<Codec>(options);
}

std::size_t vector_bytes(Codec& self) {
  const Reading reading(self.guard());
  return tq_codec_vector_bytes(self.get());
}

std::size_t encoded_bytes(Codec& self, py::handle count) {
  const Reading reading(self.guard());
  const std::size_t vectors = size_from(count, "count");
  const std::size_t bytes = tq_codec_encoded_bytes(self.get(), vectors);
  if (bytes == 0 && vectors != 0)
    raise_invalid("count is %zu; so many vectors take more than memory can hold", vectors);
  return bytes;
}

// Vectors of an array (count, head_dim), and the step between them in elements.
struct Vectors {
  void* data;
  Element element;
  std::size_t count, stride;
};

Vectors vectors_of(const Array& array, Element element, std::size_t dim) {
  array.require_ndim(2, "(count, head_dim)");
  const auto item = static_cast<Py_ssize_t>(array.item_bytes());
  const Py_ssize_t row = static_cast<Py_ssize_t>(dim) * item;
  if (array.shape(1) != dim)
    raise_invalid("%s has the shape %s; expected (any, %zu)", array.name(), array.shape_text().c_str(), dim);
  array.require_rows_contiguous();
  const Py_ssize_t stride = array.shape(0) > 1 ? array.stride(0) : row;
  array.require_step(stride, row);
  return {array.data(), element, array.shape(0), static_cast<std::size_t>(stride / item)};
}

Array bytes_from(py::handle given, const char* name, Access access) {
  Array array = Array::of(given, name, access);
  array.require_element(Element::u8);
  array.require_contiguous();
  return array;
}

py::object encode(Codec& self, py::handle vectors_given, py::handle dtype, py::handle out) {
  const Reading reading(self.guard());
  const Array input = Array::of(vectors_given, "vectors", Access::read);
  const Vectors vectors = vectors_of(input, input.real_element(declared_from(dtype)), self.options().head_dim);
  const std::size_t bytes = tq_codec_encoded_bytes(self.get(), vectors.count);
  py::object result = py::reinterpret_borrow<py::object>(out);
  if (out.is_none()) {
    result = self.in_blocks() ? new_array(Element::u8, {bytes})
                              : new_array(Element::u8, {vectors.count, tq_codec_vector_bytes(self.get())});
  }
  const Array codes = bytes_from(result, "out", Access::write);
  call_library([&](tq_error* err) {
    return tq_encode(self.get(), vectors.data, static_cast<tq_dtype>(vectors.element), vectors.stride, vectors.count,
                     codes.data(), codes.size(), err);
  });
  return result;
}

// How many vectors `codes` holds, unless the caller says so.
std::size_t count_from(const Codec& self, py::handle count, const Array& codes, std::size_t first) {
  if (!count.is_none()) return size_from(count, "count");
  if (self.in_blocks()) raise_invalid("count is required in layout 'blocks': the last block may be incomplete");
  const std::size_t record = tq_codec_vector_bytes(self.get());
  if (codes.size() % record != 0)
    raise_invalid("codes has %zu bytes; expected a multiple of the %zu bytes of a vector", codes.size(), record);
  const std::size_t held = codes.size() / record;
  if (first > held) raise_invalid("first is %zu, but codes holds only %zu vectors", first, held);
  return held - first;
}

void check_codes(const Codec& self, const Array& codes, std::size_t first, std::size_t count) {
  const std::size_t needed = first + count < first ? 0 : tq_codec_encoded_bytes(self.get(), first + count);
  if (needed == 0 && first + count != 0) raise_invalid("first + count is more than memory can hold");
  if (codes.size() < needed) {
    const std::string message = "codes has " + std::to_string(codes.size()) + " bytes; " +
                                std::to_string(first + count) + " vectors need " + std::to_string(needed);
    raise_status(TQ_ERR_BUFFER_TOO_SMALL, message.c_str());
  }
}

py::object decode(Codec& self, py::handle codes_given, py::handle first_given, py::handle count_given, py::handle dtype,
                  py::handle out) {
  const Reading reading(self.guard());
  const Array codes = bytes_from(codes_given, "codes", Access::read);
  const std::size_t first = size_from(first_given, "first");
  const std::size_t count = count_from(self, count_given, codes, first);
  const Element element = element_from(dtype, "dtype", Element::f32);
  py::object result = py::reinterpret_borrow<py::object>(out);
  if (out.is_none()) {
    check_codes(self, codes, first, count);  // before memory for the result is taken
    result = new_array(element, {count, self.options().head_dim});
  }
  const Array array = Array::of(result, "out", Access::write);
  const Vectors to = vectors_of(array, array.output_element(element), self.options().head_dim);
  if (to.count != count)
    raise_invalid("out has the shape %s; expected (%zu, %u)", array.shape_text().c_str(), count,
                  self.options().head_dim);
  call_library([&](tq_error* err) {
    return tq_decode(self.get(), codes.data(), codes.size(), first, count, to.data, static_cast<tq_dtype>(to.element),
                     to.stride, err);
  });
  return result;
}

py::object scores(Codec& self, py::handle codes_given, py::handle queries_given, py::handle count_given,
                  py::handle out) {
  const Reading reading(self.guard());
  const Array codes = bytes_from(codes_given, "codes", Access::read);
  const std::size_t count = count_from(self, count_given, codes, 0);
  const Array queries = Array::of(queries_given, "queries", Access::read);
  queries.require_ndim(2, "(n_query, head_dim)");
  const Rows rows = rows_of(queries, self.options().head_dim);
  check_codes(self, codes, 0, count);
  py::object result = py::reinterpret_borrow<py::object>(out);
  if (out.is_none()) result = new_array(Element::f32, {rows.count, count});
  const Array to = Array::of(result, "out", Access::write);
  to.require_element(Element::f32);
  if (to.ndim() != 2 || to.shape(0) != rows.count || to.shape(1) != count)
    raise_invalid("out has the shape %s; expected (%zu, %zu)", to.shape_text().c_str(), rows.count, count);
  to.require_contiguous();
  call_library([&](tq_error* err) {
    return tq_scores(self.get(), codes.data(), codes.size(), count, rows.data, rows.count,
                     static_cast<float*>(to.data()), err);
  });
  return result;
}

using Rotation = tq_status (*)(const tq_codec*, float*, std::size_t, tq_error*);

template <Rotation rotation>
py::object rotated(Codec& self, py::handle rows, py::handle out) {
  const Reading reading(self.guard());
  return transform_rows(rows, out, self.options().head_dim,
                        [&](const Rows& to, tq_error* err) { return rotation(self.get(), to.data, to.count, err); });
}

}  // namespace

void register_codec(py::module_& module) {
  tq_codec_options defaults;
  tq_codec_options_init(&defaults, sizeof defaults);
  const auto none = py::none();
  py::class_<Codec>(module, "Codec", kCodec)
      .def(py::init(&create), py::arg("head_dim"), py::kw_only(), py::arg("format") = format_name(defaults.format),
           py::arg("group_size") = defaults.group_size, py::arg("rotation_block") = defaults.rotation_block,
           py::arg("scale_search") = defaults.scale_search != 0, py::arg("layout") = layout_name(defaults.layout),
           py::arg("seed") = defaults.seed, kInit)
      .def_property_readonly("vector_bytes", &vector_bytes,
                             "Bytes of one vector; a block's share of them in layout "
                             "\"blocks\", rounded up.")
      .def_property_readonly(
          "head_dim", [](const Codec& self) { return self.options().head_dim; }, "Values per vector.")
      .def_property_readonly(
          "format", [](const Codec& self) { return format_name(self.options().format); }, "Name of the format.")
      .def_property_readonly(
          "layout", [](const Codec& self) { return layout_name(self.options().layout); }, "Name of the layout.")
      .def_property_readonly(
          "closed", [](Codec& self) { return self.guard().closed(); }, "Whether `close` was called.")
      .def("encoded_bytes", &encoded_bytes, py::arg("count"), kEncodedBytes)
      .def("encode", &encode, py::arg("vectors"), py::kw_only(), py::arg("dtype") = none, py::arg("out") = none,
           kEncode)
      .def("decode", &decode, py::arg("codes"), py::arg("first") = 0, py::arg("count") = none, py::kw_only(),
           py::arg("dtype") = "float32", py::arg("out") = none, kDecode)
      .def("scores", &scores, py::arg("codes"), py::arg("queries"), py::kw_only(), py::arg("count") = none,
           py::arg("out") = none, kScores)
      .def("rotate", &rotated<&tq_rotate>, py::arg("rows"), py::kw_only(), py::arg("out") = none, kRotate)
      .def("unrotate", &rotated<&tq_unrotate>, py::arg("rows"), py::kw_only(), py::arg("out") = none, kUnrotate)
      .def("close", &Codec::close, kClose)
      .def(
          "__enter__", [](py::object self) { return self; }, "__enter__(self)\n--\n\n")
      .def(
          "__exit__", [](Codec& self, const py::args&) { self.close(); }, "__exit__(self, *args)\n--\n\n");
}

}  // namespace tqpy
