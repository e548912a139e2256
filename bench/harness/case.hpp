// What is measured: a case has contenders that do the same job, the first of them the library.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench {

// The least a contender has to do, whatever its code looks like. Its limit is the slowest of these at the speed that
// the same run measures for each alone. Totals of one call.
struct Work {
  const void* data = nullptr;  // memory of the size and state (cached or not) that has to be read ..
  std::size_t bytes = 0;       // .. so many bytes of it
  void* written = nullptr;     // the same for memory that has to be written
  std::size_t written_bytes = 0;
  double adds = 0;  // f32
  double fmas = 0;  // f32 multiply-adds
  double dots = 0;  // 8-bit products added up in 32 bit
};

struct Contender {
  std::string name;  // "tq", "fp16", ..
  std::function<void()> run;
  Work work;
  std::string note = {};  // how it does it, for the report
};

// Contenders with everything they need; buffers live as long as the plan.
struct Plan {
  std::vector<Contender> contenders;
  double units = 1;  // per call, of ..
  std::string unit;  // .. "kv head and token", ..
  unsigned threads = 1;
  bool warm = true;  // run untimed before every sample, so that what fits a cache is in it
};

struct Case {
  std::string name;         // attend/d128/g1/65536
  std::string description;  // one line
  std::function<Plan()> prepare;
};

// Keeps a computed value alive.
void consume(double value);

}  // namespace bench
