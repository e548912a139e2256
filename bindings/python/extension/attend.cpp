// Attention: Sequence.attend, AttendItem and attend.
#include "attend.hpp"

#include "arguments.hpp"
#include "keywords.hpp"
#include "tokens.hpp"

namespace tqpy {
namespace {

constexpr const char* kSequenceAttend =
    R"(attend(self, layer, query, *, new_tokens=None, causal=True, scale=None, softcap=None, sink_logits=None, pool=None, dtype=None, output_dtype="float32", out=None, log_sum_exp=None)
--

Attention of queries to this sequence: ``softmax(q K^T) V``. Never changes the cache.

Parameters
----------
layer : int
query : array, shape (n_query, q_heads, key_dim), float32, float16 or bfloat16
    `q_heads` is a multiple of `kv_heads`; query head h reads kv head ``h // (q_heads // kv_heads)``. Any strides, as
    long as the last axis is contiguous.
new_tokens : tuple of arrays (keys, values), optional
    Without it the queries belong to the last `n_query` tokens appended: query i stands at ``length - n_query + i`` and
    sees the keys up to itself. With it they belong to `n_query` tokens that are not appended yet: query i sees all cached
    tokens as they are stored now, and new tokens 0 .. i at the precision given. Append them after. This is the choice
    for prefill and speculative decoding, and the more accurate one. Shapes as in `append`.
causal : bool
    False: a query also sees the tokens after it.
scale : float, optional
    Of ``q . k``; by default (None or 0) ``1 / sqrt(key_dim)``.
softcap : float, optional
    Logits become ``softcap * tanh(logit / softcap)``; None or 0: off.
sink_logits : array, shape (q_heads,), float32, optional
    Per query head an extra logit that joins the softmax and has no value.
pool : Pool, optional
    Threads; by default only the calling one.
dtype : {"float16", "bfloat16"}, optional
    What the bits are, if arrays are uint16.
output_dtype : {"float32", "float16", "bfloat16"}
    Of the new array, if there is no `out`.
out : array, shape (n_query, q_heads, value_dim), optional
    Gets the result; a query that sees nothing gets zeros.
log_sum_exp : array, shape (n_query, q_heads), float32, C-contiguous, optional
    Gets the natural logarithm of the softmax's denominator, so that partial results can be merged.

Returns
-------
array, shape (n_query, q_heads, value_dim)
    `out`, or a new NumPy array.

Raises
------
InvalidArgument
    If shapes or strides do not fit, there are more queries than tokens, or new tokens hold NaN or infinity. (In a query
    they give NaN in its output.)
TypeError
    If an array is of another type or not in the CPU's memory.
Busy
    If another thread is writing this sequence.)";

constexpr const char* kAttend =
    R"(attend(layer, items, *, causal=True, scale=None, softcap=None, sink_logits=None, pool=None, output_dtype="float32")
--

Attention of a batch: one layer, any number of sequences.

Parameters
----------
layer : int
items : iterable of AttendItem
    All with the same number of query heads and the same types.
causal, scale, softcap, sink_logits, pool, output_dtype
    As in `Sequence.attend`.

Returns
-------
list of arrays, each of shape (n_query, q_heads, value_dim)
    Of each item its `out`, or a new NumPy array.

Raises
------
InvalidArgument, TypeError, Busy
    As `Sequence.attend`; nothing is written then.)";

constexpr const char* kItem = R"(One sequence's part of an `attend` call. May be used again and by several threads.

Parameters
----------
sequence : Sequence
query, new_tokens, dtype, out, log_sum_exp
    As in `Sequence.attend`. The arrays are checked here, and against the layer by `attend`; they are kept, not copied,
    so new contents are seen by the next call.)";

constexpr const char* kItemInit =
    R"(__init__(self, sequence, query, *, new_tokens=None, dtype=None, out=None, log_sum_exp=None)
--

)";

std::optional<Array> optional_array(py::handle given, const char* name, Access access) {
  if (given.is_none()) return std::nullopt;
  return Array::of(given, name, access);
}

class Item {
 public:
  Item(std::shared_ptr<SequenceHandle> sequence, py::handle query, py::handle new_tokens, py::handle dtype,
       py::handle out, py::handle log_sum_exp)
      : sequence_(std::move(sequence)),
        query_(Array::of(query, "query", Access::read)),
        given_out_(py::reinterpret_borrow<py::object>(out)),
        out_(optional_array(out, "out", Access::write)),
        log_sum_exp_(optional_array(log_sum_exp, "log_sum_exp", Access::write)) {
    const Bits bits(dtype);
    query_.require_ndim(3, "(n_query, q_heads, key_dim)");
    query_element_ = query_.real_element(bits);
    if (!new_tokens.is_none()) add_new_tokens(new_tokens, bits);
    if (out_) {
      out_->require_ndim(3, "(n_query, q_heads, value_dim)");
      output_element_ = out_->real_element(bits);
    }
    bits.require_used();
    if (log_sum_exp_) check_log_sum_exp();
  }

  SequenceHandle& sequence() const { return *sequence_; }
  std::size_t n_query() const { return query_.shape(0); }
  std::size_t q_heads() const { return query_.shape(1); }
  Element query_element() const { return query_element_; }
  Element output_element(Element missing) const { return out_ ? output_element_ : missing; }

 private:
  friend class Call;

  void add_new_tokens(py::handle given, const Bits& bits) {
    if (!py::isinstance<py::tuple>(given) || py::len(given) != 2)
      raise_type_error("new_tokens is %s; expected a tuple (keys, values)", repr_of(given).c_str());
    const auto pair = py::reinterpret_borrow<py::tuple>(given);
    new_tokens_.emplace(pair[0], pair[1], bits);
  }

  void check_log_sum_exp() const {
    log_sum_exp_->require_element(Element::f32);
    if (log_sum_exp_->ndim() != 2 || log_sum_exp_->shape(0) != n_query() || log_sum_exp_->shape(1) != q_heads()) {
      raise_invalid("log_sum_exp has the shape %s; expected (%zu, %zu)", log_sum_exp_->shape_text().c_str(), n_query(),
                    q_heads());
    }
    log_sum_exp_->require_contiguous();
  }

  std::shared_ptr<SequenceHandle> sequence_;
  Array query_;
  Element query_element_;
  std::optional<TokenArrays> new_tokens_;
  py::object given_out_;
  std::optional<Array> out_;
  Element output_element_ = Element::other;
  std::optional<Array> log_sum_exp_;
};

struct OptionArguments {
  py::handle causal, scale, softcap, sink_logits, pool, output_dtype;
};

// One item as the library takes it, with what it borrows from.
class Call {
 public:
  // `output` is where the result goes; it must outlive this.
  Call(const Item& item, const LayerShape& layer, Element output_element) : reading_(item.sequence()) {
    tq_attend_item_init(&item_, sizeof item_);
    item_.sequence = item.sequence().get();
    item_.n_query = item.n_query();
    item_.query = item.query_.data();
    const Strides query = strides_of(item.query_, item.q_heads(), layer.key_dim);
    item_.query_token_stride = query.token;
    item_.query_head_stride = query.head;
    if (item.new_tokens_) kv_ = item.new_tokens_->as_kv(layer);
    has_new_tokens_ = item.new_tokens_.has_value();
    if (item.log_sum_exp_) item_.log_sum_exp = static_cast<float*>(item.log_sum_exp_->data());
    set_output(item, layer, output_element);
  }

  // With pointers into this object: it must not move afterwards.
  tq_attend_item get() const {
    tq_attend_item item = item_;
    item.new_tokens = has_new_tokens_ ? &kv_ : nullptr;
    return item;
  }
  const py::object& output() const { return output_; }

 private:
  void set_output(const Item& item, const LayerShape& layer, Element output_element) {
    if (!item.out_) {
      py::array made = new_array(output_element, {item.n_query(), item.q_heads(), layer.value_dim});
      item_.output = made.mutable_data();
      output_ = std::move(made);
      return;
    }
    if (item.out_->shape(0) != item.n_query()) {
      raise_invalid("out has the shape %s; expected (%zu, %zu, %zu)", item.out_->shape_text().c_str(), item.n_query(),
                    item.q_heads(), layer.value_dim);
    }
    const Strides strides = strides_of(*item.out_, item.q_heads(), layer.value_dim);
    item_.output = item.out_->data();
    item_.output_token_stride = strides.token;
    item_.output_head_stride = strides.head;
    output_ = item.given_out_;
  }

  ReadingSequence reading_;
  tq_attend_item item_;
  tq_kv kv_;
  bool has_new_tokens_ = false;
  py::object output_;
};

// The options of a call, with what they borrow from.
class Options {
 public:
  Options(std::uint32_t layer, const Item& first, const OptionArguments& given)
      : output_element_(first.output_element(element_from(given.output_dtype, "output_dtype", Element::f32))) {
    tq_attend_options_init(&options_, sizeof options_);
    options_.layer = layer;
    options_.q_heads = static_cast<std::uint32_t>(first.q_heads());
    options_.query_dtype = static_cast<tq_dtype>(first.query_element());
    options_.output_dtype = static_cast<tq_dtype>(output_element_);
    options_.causal = flag_from(given.causal, "causal");
    options_.scale = float_from(given.scale, "scale", 0.0f);
    options_.softcap = float_from(given.softcap, "softcap", 0.0f);
    if (!given.sink_logits.is_none()) add_sink_logits(given.sink_logits);
    if (!given.pool.is_none()) add_pool(given.pool);
  }

  void check_item(const Item& item) const {
    if (item.q_heads() != options_.q_heads)
      raise_invalid("query has %zu heads, but that of items[0] has %u", item.q_heads(), options_.q_heads);
    if (item.query_element() != static_cast<Element>(options_.query_dtype)) {
      raise_type_error("query is %s, but that of items[0] is %s", element_name(item.query_element()),
                       element_name(static_cast<Element>(options_.query_dtype)));
    }
    if (item.output_element(output_element_) != output_element_) {
      raise_type_error("out is %s, but the output of items[0] is %s",
                       element_name(item.output_element(output_element_)), element_name(output_element_));
    }
  }

  Element output_element() const { return output_element_; }
  const tq_attend_options& get() const { return options_; }

 private:
  void add_sink_logits(py::handle given) {
    sink_logits_.emplace(Array::of(given, "sink_logits", Access::read));
    sink_logits_->require_element(Element::f32);
    if (sink_logits_->ndim() != 1 || sink_logits_->shape(0) != options_.q_heads) {
      raise_invalid("sink_logits has the shape %s; expected (%u,)", sink_logits_->shape_text().c_str(),
                    options_.q_heads);
    }
    sink_logits_->require_contiguous();
    options_.sink_logits = static_cast<const float*>(sink_logits_->data());
  }

  void add_pool(py::handle given) {
    if (!py::isinstance<PoolHandle>(given))
      raise_type_error("pool is %s; expected a libturboquant.Pool", repr_of(given).c_str());
    auto& pool = given.cast<PoolHandle&>();
    using_pool_.emplace(pool.guard());
    options_.pool = pool.get();
  }

  Element output_element_;
  tq_attend_options options_;
  std::optional<Array> sink_logits_;
  std::optional<Reading> using_pool_;
};

void run(const CacheHandle& cache, const Options& options, const tq_attend_item* items, std::size_t count) {
  call_library([&](tq_error* err) { return tq_attend(cache.get(), &options.get(), items, count, err); });
}

py::object sequence_attend(const std::shared_ptr<SequenceHandle>& self, py::handle layer, py::handle query,
                           const py::kwargs& given) {
  static const Keywords<10> keywords("attend", {"new_tokens", "causal", "scale", "softcap", "sink_logits", "pool",
                                                "dtype", "output_dtype", "out", "log_sum_exp"});
  const py::none none;
  const auto [new_tokens, causal, scale, softcap, sink_logits, pool, dtype, output_dtype, out, log_sum_exp] =
      keywords.read(given, {none, Py_True, none, none, none, none, none, none, none, none});
  const std::uint32_t index = u32_from(layer, "layer");
  const LayerShape& shape = self->cache().layer(index);
  const Item item(self, query, new_tokens, dtype, out, log_sum_exp);
  const Options options(index, item, {causal, scale, softcap, sink_logits, pool, output_dtype});
  const Call call(item, shape, options.output_element());
  const tq_attend_item one = call.get();
  run(self->cache(), options, &one, 1);
  return call.output();
}

// Adds which item it was to an error about one of them.
[[noreturn]] void raise_for_item(std::size_t index, py::error_already_set& error) {
  const std::string message = "items[" + std::to_string(index) + "]: " + py::str(error.value()).cast<std::string>();
  py::raise_from(error, error.type().ptr(), message.c_str());
  throw py::error_already_set();
}

using ItemPointer = std::shared_ptr<Item>;

std::vector<ItemPointer> items_from(const py::iterable& given) {
  std::vector<ItemPointer> items;
  for (const py::handle item : given) {
    if (!py::isinstance<Item>(item)) {
      raise_type_error("items[%zu] is %s; expected a libturboquant.AttendItem", items.size(), repr_of(item).c_str());
    }
    items.push_back(item.cast<ItemPointer>());
    if (&items.back()->sequence().cache() != &items.front()->sequence().cache())
      raise_invalid("items[%zu] belongs to another cache than items[0]", items.size() - 1);
  }
  return items;
}

py::list attend(py::handle layer, const py::iterable& items_given, const py::kwargs& given) {
  static const Keywords<6> keywords("attend", {"causal", "scale", "softcap", "sink_logits", "pool", "output_dtype"});
  const py::none none;
  const auto [causal, scale, softcap, sink_logits, pool, output_dtype] =
      keywords.read(given, {Py_True, none, none, none, none, none});
  const std::uint32_t index = u32_from(layer, "layer");
  const std::vector<ItemPointer> items = items_from(items_given);
  py::list outputs;
  if (items.empty()) return outputs;
  const CacheHandle& cache = items.front()->sequence().cache();
  const LayerShape& shape = cache.layer(index);
  const Options options(index, *items.front(), {causal, scale, softcap, sink_logits, pool, output_dtype});
  std::vector<Call> calls;
  calls.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    try {
      options.check_item(*items[i]);
      calls.emplace_back(*items[i], shape, options.output_element());
    } catch (py::error_already_set& error) {
      raise_for_item(i, error);
    }
    outputs.append(calls.back().output());
  }
  std::vector<tq_attend_item> raw;
  raw.reserve(calls.size());
  for (const Call& call : calls) raw.push_back(call.get());
  run(cache, options, raw.data(), raw.size());
  return outputs;
}

ItemPointer create_item(py::handle sequence, py::handle query, const py::kwargs& given) {
  static const Keywords<4> keywords("AttendItem", {"new_tokens", "dtype", "out", "log_sum_exp"});
  const py::none none;
  const auto [new_tokens, dtype, out, log_sum_exp] = keywords.read(given, {none, none, none, none});
  if (!py::isinstance<SequenceHandle>(sequence))
    raise_type_error("sequence is %s; expected a libturboquant.Sequence", repr_of(sequence).c_str());
  return std::make_shared<Item>(sequence.cast<std::shared_ptr<SequenceHandle>>(), query, new_tokens, dtype, out,
                                log_sum_exp);
}

}  // namespace

void add_attend_method(py::class_<SequenceHandle, std::shared_ptr<SequenceHandle>>& sequence) {
  sequence.def("attend", &sequence_attend, py::arg("layer"), py::arg("query"), kSequenceAttend);
}

void register_attend(py::module_& module) {
  py::class_<Item, ItemPointer>(module, "AttendItem", kItem)
      .def(py::init(&create_item), py::arg("sequence"), py::arg("query"), kItemInit);
  module.def("attend", &attend, py::arg("layer"), py::arg("items"), kAttend);
}

}  // namespace tqpy
