#include "report/table.hpp"

#include <cstdio>

namespace bench {

namespace {

std::string format(const char* form, double value) {
  char text[32];
  std::snprintf(text, sizeof text, form, value);
  return text;
}

// Nanoseconds with a unit, 8 characters.
std::string duration(double ns) {
  if (ns < 1e3) return format("%5.1f ns", ns);
  if (ns < 1e6) return format("%5.1f us", ns / 1e3);
  return format("%5.1f ms", ns / 1e6);
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

}  // namespace

std::string table_head() {
  return padded("case", 29) + "     min   median   per unit   of limit   " +
         "how much faster than .. (that one's fraction of its own limit)\n" + std::string(120, '-') + "\n";
}

std::string table_row(const Result& result) {
  const Timing& ours = result.timings.front();
  std::string row = padded(result.name, 29) + padded(duration(ours.ns), 9) + padded(duration(ours.median_ns), 9) +
                    format("%7.2f ns ", ours.ns / result.units);
  if (ours.limit.ns > 0) {
    row += padded(format("%4.0f %% ", 100 * ours.limit.ns / ours.ns) + ours.limit.what, 12);
  } else {
    row += std::string(12, ' ');
  }
  std::string line;
  for (std::size_t i = 1; i < result.timings.size(); ++i) {
    const Timing& other = result.timings[i];
    std::string cell = " " + other.name + format(" %.2fx", other.ns / ours.ns);
    if (other.limit.ns > 0) cell += format(" (%.0f)", 100 * other.limit.ns / other.ns);
    cell += i + 1 < result.timings.size() ? "," : "";
    if (row.size() - (row.rfind('\n') == std::string::npos ? 0 : row.rfind('\n') + 1) + cell.size() > 119) {
      row += "\n" + std::string(69, ' ');
    }
    row += cell;
  }
  return row + "\n";
}

}  // namespace bench
