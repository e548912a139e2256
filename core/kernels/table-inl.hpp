// Everything above, as a table. Each arch/<name>.cpp includes this once, compiled with its own instruction set.
#pragma once

#include "decode-inl.hpp"
#include "exact-inl.hpp"
#include "many_rows-inl.hpp"
#include "scales-inl.hpp"
#include "validate-inl.hpp"

namespace tq {
namespace {

template <class S>
constexpr KernelTable kernel_table(const char* name) {
  return {shared_kernels<S>(),
          name,
          &fwht<S>,
          &find_invalid<S>,
          &load_rows<S>,
          &store_rows<S>,
          &convert_rows<S>,
          &sum_rows<S>,
          &rotate_rows<S>,
          &unrotate_rows<S>,
          &encode_tile<S>,
          &largest_index<S>,
          &scale_bytes<S>,
          &encode_mean<S>,
          &decode_tile<S>,
          &signed_floats<S>,
          &pack_keys<S>,
          &pack_values<S>,
          &quantize_query<S>,
          &coded_scores<S>,
          &coded_values<S>,
          &attend_run<S>,
          &row_scores<S>,
          &row_values<S>,
          &transpose_rows<S>,
          &column_scores<S>,
          &softmax<S>,
          &softcap<S>,
          &scale_floats<S>,
          &dot<S>};
}

}  // namespace
}  // namespace tq
