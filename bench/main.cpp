// tq_bench [--filter REGEX] [--json PATH] [--passes N] [--quick] [--list]
//
// Google Benchmark registers, selects and runs the cases. One of its iterations is one whole case, measured by our own
// protocol (harness/measure.hpp), because the contenders and limits of a case have to take turns.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "baselines/table.hpp"
#include "cases/cases.hpp"
#include "harness/measure.hpp"
#include "report/json.hpp"
#include "report/table.hpp"

namespace {

struct Options {
  std::string json;
  std::regex filter{"."};
  int passes = 1;
  bool quick = false, list = false;
};

constexpr const char* kUsage =
    "usage: tq_bench [--filter REGEX] [--json PATH] [--passes N] [--quick] [--list]\n"
    "  --filter REGEX  only cases whose name matches somewhere\n"
    "  --json PATH     writes all numbers there\n"
    "  --passes N      all cases N times, 1 to 99; the JSON has the quietest time of each\n"
    "  --quick         fewer cases and rounds: under a minute\n"
    "  --list          names of the cases\n";

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool takes_value = word == "--filter" || word == "--json" || word == "--passes";
    if (takes_value && i + 1 == argc) {
      std::fprintf(stderr, "tq_bench: %s needs a value\n", argv[i]);
      return false;
    }
    if (word == "--filter") {
      try {
        options.filter = argv[++i];
      } catch (const std::regex_error& problem) {
        std::fprintf(stderr, "tq_bench: --filter '%s': %s\n", argv[i], problem.what());
        return false;
      }
    } else if (word == "--json") {
      options.json = argv[++i];
    } else if (word == "--passes") {
      options.passes = std::atoi(argv[++i]);
      if (options.passes < 1 || options.passes > 99) {
        std::fprintf(stderr, "tq_bench: --passes '%s': a number from 1 to 99\n", argv[i]);
        return false;
      }
    } else if (word == "--quick") {
      options.quick = true;
    } else if (word == "--list") {
      options.list = true;
    } else {
      std::fprintf(stderr, "tq_bench: unknown argument '%s'\n%s", argv[i], kUsage);
      return false;
    }
  }
  return true;
}

// Collects what Google Benchmark's own reporters would print as one number per case.
class Report : public benchmark::BenchmarkReporter {
 public:
  const nlohmann::ordered_json machine = bench::machine_json();  // before the first case
  std::vector<bench::Result> results;
  int failures = 0;

  bool ReportContext(const Context&) override {
    std::printf("%s, target %s, %s\n", text("cpu").c_str(), text("target").c_str(), text("compiler").c_str());
    if (machine["load_average"] > 0.5) {
      std::printf("Other programs are running (load average %s): expect worse and unsteady numbers.\n",
                  machine["load_average"].dump().c_str());
    }
    std::fputs(bench::table_head().c_str(), stdout);
    return true;
  }
  // Once for each case, in the order in which they first came.
  void keep(const bench::Result& result) {
    const auto same = [&](const bench::Result& other) { return other.name == result.name; };
    const auto known = std::find_if(results.begin(), results.end(), same);
    if (known == results.end()) {
      results.push_back(result);
    } else if (bench::quieter(result, *known)) {
      *known = result;
    }
  }
  // Results are printed as they come, by run_case.
  void ReportRuns(const std::vector<Run>&) override {}

 private:
  std::string text(const char* field) const { return machine[field].get<std::string>(); }
};

void run_case(benchmark::State& state, const bench::Case& what, const bench::Settings& settings, Report& report) {
  for (auto _ : state) {
    try {
      const bench::Result result = bench::measure(what, settings);
      state.SetIterationTime(result.timings.front().ns * 1e-9);
      std::fputs(bench::table_row(result).c_str(), stdout);
      report.keep(result);
    } catch (const std::exception& problem) {
      ++report.failures;
      std::fprintf(stderr, "%s: %s\n", what.name.c_str(), problem.what());
      state.SkipWithError(problem.what());
      return;
    }
    std::fflush(stdout);
  }
}

bool write_json(const std::string& path, const bench::Settings& settings, const Report& report) {
  nlohmann::ordered_json all;
  all["machine"] = report.machine;
  all["protocol"] = bench::protocol_json(settings);
  all["cases"] = nlohmann::ordered_json::array();
  for (const bench::Result& result : report.results) all["cases"].push_back(bench::json_of(result));
  std::ofstream file(path);
  file << all.dump(1) << "\n";
  if (file.good()) return true;
  std::fprintf(stderr, "tq_bench: cannot write %s\n", path.c_str());
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return 2;
  bench::Settings settings;
  settings.passes = options.passes;
  if (options.quick) settings.rounds = 7, settings.case_seconds = 2;

  const std::vector<bench::Case> cases = bench::all_cases({options.quick});
  Report report;
  int chosen = 0;
  for (const bench::Case& what : cases) {
    if (!std::regex_search(what.name, options.filter)) continue;  // Google Benchmark would match its own suffixes, too
    ++chosen;
    if (options.list) std::printf("%s\n", what.name.c_str());
    benchmark::RegisterBenchmark(what.name.c_str(),
                                 [&](benchmark::State& state) { run_case(state, what, settings, report); })
        ->Iterations(1)
        ->UseManualTime();
  }
  if (chosen == 0) {
    std::fprintf(stderr, "tq_bench: no case matches the filter; --list shows all\n");
    return 1;
  }
  if (options.list) return 0;

  int count = 1;
  benchmark::Initialize(&count, argv);  // only its defaults: the arguments are ours
  for (int pass = 0; pass < options.passes; ++pass) benchmark::RunSpecifiedBenchmarks(&report, ".");
  if (!options.json.empty() && !write_json(options.json, settings, report)) return 1;
  return report.failures == 0 ? 0 : 1;
}
