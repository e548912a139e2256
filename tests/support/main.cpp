// The main of every GoogleTest program: makes sure that the target asked for in TQ_CPU_TARGET is really the one in use.
// The library falls back to a lesser target where the CPU lacks one; without this check such a run would pass while
// testing something else.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "turboquant/turboquant.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;  // ctest: SKIP_RETURN_CODE
  testing::InitGoogleTest(&argc, argv);

  const char* wanted = std::getenv("TQ_CPU_TARGET");
  const char* used = tq_cpu_target();
  if (wanted != nullptr && std::strcmp(wanted, used) != 0) {
    std::printf("skipped: TQ_CPU_TARGET=%s, but this CPU or this build only has %s\n", wanted, used);
    return kSkipped;
  }
  std::printf("CPU target: %s\n", used);
  return RUN_ALL_TESTS();
}
