#include "harness/clock.hpp"

#include <ctime>

#if defined(__linux__)
#include <sched.h>
#endif

namespace bench {

namespace {

double read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

#if defined(__linux__)
// The cores that the process had when it started.
const cpu_set_t& allowed() {
  static const cpu_set_t set = [] {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    sched_getaffinity(0, sizeof cores, &cores);
    return cores;
  }();
  return set;
}
#endif

}  // namespace

double wall_ns() { return read_clock(CLOCK_MONOTONIC); }
double thread_cpu_ns() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

bool pin_thread() {
#if defined(__linux__)
  for (int core = CPU_SETSIZE - 1; core >= 0; --core) {
    if (!CPU_ISSET(core, &allowed())) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
  }
#endif
  return false;
}

void unpin_thread() {
#if defined(__linux__)
  sched_setaffinity(0, sizeof(cpu_set_t), &allowed());
#endif
}

}  // namespace bench
