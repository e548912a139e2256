#include "internal.hpp"

using namespace tq;
using namespace tq::capi;

extern "C" tq_status tq_fwht(float* data, size_t size, size_t count, tq_error* err) {
  return guarded(err, [&] {
    if (size == 0 || size > TQ_MAX_HEAD_DIM || (size & (size - 1)) != 0)
      invalid("size is %zu; expected a power of two from 1 to %u", size, TQ_MAX_HEAD_DIM);
    const std::size_t total = multiply(multiply(size, count, "count"), sizeof(float), "count") / sizeof(float);
    if (count == 0) return;
    kernels().fwht(require(data, "data"), total, size, 1.0f / std::sqrt(static_cast<float>(size)));
  });
}
