// The protocol. All contenders of a case and the loops that measure its limits take turns, round after round, so that
// every ratio compares times of the same period; each contributes its minimum and median over the rounds.
#pragma once

#include <string>
#include <vector>

#include "harness/case.hpp"

namespace bench {

struct Settings {
  int rounds = 101;            // wanted; at least kFewestRounds if the case is slow
  double case_seconds = 4;     // rough upper bound for the rounds of a case
  double sample_ns = 300'000;  // a sample repeats the call until it takes about this long
  int passes = 1;              // over all cases, minutes apart; each case keeps its quietest
};
inline constexpr int kFewestRounds = 11;

struct Limit {
  double ns = 0;
  std::string what;  // "read", "write", "add", "fma", "dot"; empty: none is known
};

struct Timing {
  std::string name, note;
  double ns = 0, median_ns = 0;  // per call
  Limit limit;
  double bytes = 0;
  int rounds = 0;
};

struct Result {
  std::string name, description, unit;
  double units = 1;
  unsigned threads = 1;
  bool cpu_time = false;  // of the thread; otherwise wall clock
  bool pinned = false;
  double read_gbps = 0;  // measured over the first contender's bytes
  double adds_per_ns = 0, fmas_per_ns = 0, dots_per_ns = 0;
  double clock_ghz = 0;
  std::vector<Timing> timings;  // the first is the library
};

Result measure(const Case& what, const Settings& settings);

// Whether the machine was quieter for `a` than for `b`, two results of one case: all contenders and limits together took
// less time, each counted in proportion. Which contender gains does not matter.
bool quieter(const Result& a, const Result& b);

}  // namespace bench
