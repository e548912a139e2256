// Version, status names, errors, CPU target.
#include "internal.hpp"

extern "C" {

uint32_t tq_version(void) { return TQ_VERSION; }

const char* tq_version_string(void) { return "0.1.0"; }

const char* tq_status_name(tq_status status) {
  switch (status) {
    case TQ_OK: return "TQ_OK";
    case TQ_ERR_INVALID_ARGUMENT: return "TQ_ERR_INVALID_ARGUMENT";
    case TQ_ERR_OUT_OF_MEMORY: return "TQ_ERR_OUT_OF_MEMORY";
    case TQ_ERR_BUFFER_TOO_SMALL: return "TQ_ERR_BUFFER_TOO_SMALL";
    case TQ_ERR_CORRUPT_DATA: return "TQ_ERR_CORRUPT_DATA";
    case TQ_ERR_UNSUPPORTED: return "TQ_ERR_UNSUPPORTED";
    case TQ_ERR_INTERNAL: return "TQ_ERR_INTERNAL";
    case TQ_ERR_NOT_FOUND: return "TQ_ERR_NOT_FOUND";
    case TQ_ERR_BUSY: return "TQ_ERR_BUSY";
    default: return "unknown tq_status";
  }
}

void tq_error_init(tq_error* err, uint32_t struct_size) { tq::capi::write_defaults(err, struct_size, tq_error{}); }

const char* tq_cpu_target(void) { return tq::kernels().name; }

}  // extern "C"
