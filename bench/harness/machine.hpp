// The machine this runs on.
#pragma once

#include <cstddef>
#include <string>

namespace bench {

std::string cpu_name();
std::size_t cache_bytes(int level);  // of data; as one core sees it; 0 if unknown
double load_average();               // how many programs wanted a core during the last minute

}  // namespace bench
