// The transform alone: 16 KB of rows that stay in the first-level cache.
#include <cmath>
#include <stdexcept>

#include "cases/cases.hpp"
#include "cases/library.hpp"

namespace bench {

namespace {

constexpr std::size_t kFloats = 4096;

struct Rows {
  std::vector<std::vector<float>> data;  // per contender
};

Plan prepare(std::size_t size) {
  const auto rows = std::make_shared<Rows>();
  rows->data.assign(3, gaussian(kFloats, 1));
  const std::size_t count = kFloats / size;
  const auto data = [rows](std::size_t i) { return rows->data[i].data(); };
  Work work;
  work.adds = static_cast<double>(kFloats) * std::log2(static_cast<double>(size));

  Plan plan;
  plan.units = static_cast<double>(count);
  plan.unit = "transform";
  const TransformTable& table = baselines().transform;
  plan.contenders = {
      {"tq", [=] { check(tq_fwht(data(0), size, count, &last_error)); }, work},
      {"tuned", [=, run = table.tuned] { run(data(1), size, count); }, work},
      {"naive", [=, run = table.naive] { run(data(2), size, count); }, work},
  };
  for (const Contender& c : plan.contenders) c.run();
  for (std::size_t i = 0; i < 2; ++i) {
    if (!(difference(rows->data[i], rows->data[2]) < 1e-5))
      throw std::runtime_error(plan.contenders[i].name + " computes another transform than the naive loop");
  }
  return plan;
}

}  // namespace

void add_fwht_cases(const Scope& scope, std::vector<Case>& cases) {
  for (const std::size_t size : {std::size_t{64}, std::size_t{128}, std::size_t{256}, std::size_t{1024}}) {
    if (scope.quick && size == 1024) continue;
    cases.push_back({"fwht/" + std::to_string(size), "Walsh-Hadamard transform of f32 rows in the L1 cache",
                     [size] { return prepare(size); }});
  }
}

}  // namespace bench
