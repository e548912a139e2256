#include "harness/machine.hpp"

#include <cstdlib>
#include <fstream>

namespace bench {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

// From the kernel: sysconf() of glibc multiplies wrongly on some virtual machines.
std::size_t cache_bytes(int level) {
  for (int i = 0; i < 8; ++i) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    int found = 0;
    std::size_t kilobytes = 0;
    std::string type;
    std::ifstream(folder + "level") >> found;
    std::ifstream(folder + "type") >> type;
    std::ifstream(folder + "size") >> kilobytes;
    if (found == level && type != "Instruction") return kilobytes * 1024;
  }
  return 0;
}

double load_average() {
  double minutes[1] = {0};
  return getloadavg(minutes, 1) == 1 ? minutes[0] : 0;
}

}  // namespace bench
