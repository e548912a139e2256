// The table in the terminal, at most 120 columns wide.
#pragma once

#include <string>

#include "harness/measure.hpp"

namespace bench {

std::string table_head();
std::string table_row(const Result& result);

}  // namespace bench
