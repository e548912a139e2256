#include "handles.hpp"

using namespace tq;
using namespace tq::capi;

extern "C" {

tq_status tq_pool_create(uint32_t threads, tq_pool** out, tq_error* err) {
  return guarded(err, [&] {
    require(out, "out");
    require_known_cpu_target();
    if (threads == 0 || threads > 1024) invalid("threads is %u; expected 1 to 1024", threads);
    *out = new tq_pool(threads);
  });
}

void tq_pool_destroy(tq_pool* pool) { delete pool; }

}  // extern "C"
