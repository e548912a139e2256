// Keys and values of tokens: what append stores and what attend takes as new tokens.
#pragma once

#include "array.hpp"
#include "handles.hpp"

namespace tqpy {

class TokenArrays {
 public:
  TokenArrays(py::handle keys, py::handle values, std::optional<Element> declared)
      : keys_(Array::of(keys, "keys", Access::read)), values_(Array::of(values, "values", Access::read)) {
    keys_.require_ndim(3, "(tokens, kv_heads, key_dim)");
    values_.require_ndim(3, "(tokens, kv_heads, value_dim)");
    element_ = keys_.real_element(declared);
    if (values_.real_element(declared) != element_)
      raise_type_error("values has %s, but keys has %s", values_.dtype_text().c_str(), keys_.dtype_text().c_str());
    if (values_.shape(0) != keys_.shape(0)) {
      raise_invalid("values has the shape %s, but keys has %s; expected the same number of tokens",
                    values_.shape_text().c_str(), keys_.shape_text().c_str());
    }
  }

  // As the library takes it, checked against the layer; borrows from this object.
  tq_kv as_kv(const LayerShape& layer) const {
    const Strides keys = strides_of(keys_, layer.kv_heads, layer.key_dim);
    const Strides values = strides_of(values_, layer.kv_heads, layer.value_dim);
    tq_kv kv;
    tq_kv_init(&kv, sizeof kv);
    kv.dtype = static_cast<tq_dtype>(element_);
    kv.count = keys_.shape(0);
    kv.keys = keys_.data();
    kv.values = values_.data();
    kv.key_token_stride = keys.token;
    kv.key_head_stride = keys.head;
    kv.value_token_stride = values.token;
    kv.value_head_stride = values.head;
    return kv;
  }

 private:
  Array keys_, values_;
  Element element_;
};

// The argument dtype: what uint16 arrays hold.
inline std::optional<Element> declared_from(py::handle dtype) {
  if (dtype.is_none()) return std::nullopt;
  return element_from(dtype, "dtype", Element::other);
}

}  // namespace tqpy
