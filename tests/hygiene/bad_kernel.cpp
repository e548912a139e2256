// What a kernel file must not look like: std containers and algorithms compiled for a newer CPU leave weak symbols that
// the linker may use for the whole program. check_kernel_object.py must refuse this object.
#include <algorithm>
#include <vector>

namespace tq {

struct Table {
  float (*median)(const float*, unsigned long);
};

static float median(const float* values, unsigned long count) {
  std::vector<float> sorted(values, values + count);
  std::sort(sorted.begin(), sorted.end());
  return sorted[count / 2];
}

extern const Table tq_kernels_bad;
const Table tq_kernels_bad{&median};

}  // namespace tq
