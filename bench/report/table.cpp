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
  if (ns < 1e2) return format("%5.2f ns", ns);
  if (ns < 1e3) return format("%5.1f ns", ns);
  if (ns < 1e6) return format("%5.1f us", ns / 1e3);
  return format("%5.1f ms", ns / 1e6);
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

constexpr std::size_t kWidth = 120, kNameWidth = 33;

std::string limit_cell(const Timing& ours) {
  return ours.limit.ns > 0 ? format("%4.0f %% ", 100 * ours.limit.ns / ours.ns) + ours.limit.what : "";
}

std::string baseline_cell(const Timing& other, const Timing& ours) {
  if (other.name == "fwht") return " as long as" + format(" %.2f", ours.ns / other.ns) + " transforms";
  const std::string cell = " " + other.name + format(" %.2fx", other.ns / ours.ns);
  return other.limit.ns > 0 ? cell + format(" (%.0f)", 100 * other.limit.ns / other.ns) : cell;
}

}  // namespace

std::string table_head() {
  return padded("case", kNameWidth) +
         "   min     median   per unit   limit     times faster than (its share of its limit)\n" +
         std::string(kWidth, '-') + "\n";
}

std::string table_row(const Result& result) {
  const Timing& ours = result.timings.front();
  std::string line = padded(result.name, kNameWidth) + padded(duration(ours.ns), 9) +
                     padded(duration(ours.median_ns), 9) + padded(duration(ours.ns / result.units), 10) +
                     padded(limit_cell(ours), 12);
  const std::size_t indent = line.size();
  std::string row;
  for (std::size_t i = 1; i < result.timings.size(); ++i) {
    const std::string cell = baseline_cell(result.timings[i], ours) + (i + 1 < result.timings.size() ? "," : "");
    if (line.size() + cell.size() > kWidth) {
      row += line + "\n";
      line = std::string(indent, ' ');
    }
    line += cell;
  }
  return row + line + "\n";
}

}  // namespace bench
