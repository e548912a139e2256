#include "harness/measure.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <type_traits>

#include "baselines/table.hpp"
#include "harness/clock.hpp"
#include "harness/team.hpp"

namespace bench {

void consume(double value) {
  static std::atomic<double> last;
  last.store(value, std::memory_order_relaxed);
}

namespace {

// Something to time: a contender, or a loop that measures a limit.
struct Turn {
  std::function<void()> run;
  std::size_t repeats = 1;  // calls per sample
  int rounds = 1;           // in how many it takes part: fewer if it is slow
  bool warm = false;        // called untimed before each sample
  std::vector<double> samples = {};

  double best() const { return *std::min_element(samples.begin(), samples.end()); }
  double median() const {
    std::vector<double> sorted = samples;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t half = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
};

constexpr double kTooLongForCaches = 2e7;  // ns; what takes longer leaves nothing useful in a cache for its next call
constexpr int kWarmCalls = 3;              // after as many, what fits into a cache is where it stays

class Session {
 public:
  Session(const Plan& plan, const Settings& settings) : plan_(plan), settings_(settings), team_(plan.threads) {
    for (const Contender& c : plan.contenders) turns_.push_back({c.run});
    for (const Contender& c : plan.contenders) {
      readers_.push_back(add_memory(c.work.data, c.work.bytes, [](const char* from, std::size_t bytes) {
        consume(static_cast<double>(baselines().limits.read(from, bytes)));
      }));
      writers_.push_back(add_memory(c.work.written, c.work.written_bytes, baselines().limits.write));
    }
    const LimitTable& limits = baselines().limits;
    adds_ = add_rate(limits.adds, &Work::adds);
    fmas_ = add_rate(limits.fmas, &Work::fmas);
    dots_ = add_rate(limits.dots, &Work::dots);
    cycles_ = add_loop(limits.cycles);
  }

  void run() {
    calibrate();
    for (int i = 0; i < settings_.rounds; ++i) {
      for (Turn& turn : turns_) {
        if ((i + 1) * turn.rounds / settings_.rounds == i * turn.rounds / settings_.rounds) continue;
        for (int call = 0; turn.warm && call < kWarmCalls; ++call) turn.run();
        turn.samples.push_back(sample(turn));
      }
    }
  }

  Result result() const {
    Result result;
    result.unit = plan_.unit;
    result.units = plan_.units;
    result.threads = plan_.threads;
    result.cpu_time = cpu_time_;
    result.adds_per_ns = rate(adds_);
    result.fmas_per_ns = rate(fmas_);
    result.dots_per_ns = rate(dots_);
    result.clock_ghz = rate(cycles_) / team_.size();
    for (std::size_t i = 0; i < plan_.contenders.size(); ++i) {
      const Contender& c = plan_.contenders[i];
      result.timings.push_back({c.name, c.note, turns_[i].best(), turns_[i].median(), limit(i),
                                static_cast<double>(c.work.bytes), turns_[i].rounds});
    }
    if (readers_[0] != kNone)
      result.read_gbps = static_cast<double>(plan_.contenders[0].work.bytes) / turns_[readers_[0]].best();
    return result;
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Rate {
    std::size_t turn = kNone;
    double operations = 0;
  };

  // A turn in which the team calls touch(part, bytes) for all of some memory.
  template <class Pointer, class Touch>
  std::size_t add_memory(Pointer data, std::size_t bytes, Touch touch) {
    if (bytes == 0) return kNone;
    turns_.push_back({[=, this] {
      using Byte = std::conditional_t<std::is_same_v<Pointer, void*>, char, const char>;
      const std::size_t part = bytes / team_.size() / 4096 * 4096;
      team_.run([&](unsigned i) {
        touch(static_cast<Byte*>(data) + i * part, i + 1 == team_.size() ? bytes - i * part : part);
      });
    }});
    return turns_.size() - 1;
  }

  Rate add_rate(double (*loop)(std::size_t), double Work::*needs) {
    const auto& all = plan_.contenders;
    if (std::none_of(all.begin(), all.end(), [&](const Contender& c) { return c.work.*needs > 0; })) return {};
    return add_loop(loop);
  }

  Rate add_loop(double (*loop)(std::size_t)) {
    constexpr std::size_t kSteps = 10'000;
    const Rate rate{turns_.size(), loop(kSteps) * team_.size()};
    turns_.push_back({[this, loop] { team_.run([&](unsigned) { consume(loop(kSteps)); }); }});
    return rate;
  }

  double rate(const Rate& of) const { return of.turn == kNone ? 0 : of.operations / turns_[of.turn].best(); }

  Limit limit(std::size_t contender) const {
    const Work& work = plan_.contenders[contender].work;
    Limit slowest;
    const auto consider = [&](double ns, const char* what) {
      if (ns > slowest.ns) slowest = {ns, what};
    };
    if (work.bytes > 0) consider(turns_[readers_[contender]].best(), "read");
    if (work.written_bytes > 0) consider(turns_[writers_[contender]].best(), "write");
    if (work.adds > 0) consider(work.adds / rate(adds_), "add");
    if (work.fmas > 0) consider(work.fmas / rate(fmas_), "fma");
    if (work.dots > 0) consider(work.dots / rate(dots_), "dot");
    return slowest;
  }

  double now() const { return cpu_time_ ? thread_cpu_ns() : wall_ns(); }

  double sample(const Turn& turn) const {
    const double start = now();
    for (std::size_t i = 0; i < turn.repeats; ++i) turn.run();
    return (now() - start) / static_cast<double>(turn.repeats);
  }

  // Finds out how long everything takes, after a first call that touches all memory. Each turn may use an equal part of
  // the case's time.
  void calibrate() {
    cpu_time_ = plan_.threads == 1;
    const double part = settings_.case_seconds * 1e9 / static_cast<double>(turns_.size());
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      Turn& turn = turns_[i];
      turn.run();
      const double once = std::max(sample(turn), 1.0);
      turn.repeats = static_cast<std::size_t>(std::max(1.0, std::ceil(settings_.sample_ns / once)));
      turn.warm = plan_.warm && once < kTooLongForCaches;
      for (std::size_t c = 0; c < readers_.size(); ++c) {
        if (readers_[c] == i || writers_[c] == i) turn.warm = turns_[c].warm;  // the same chances for the limit
      }
      const double round = once * static_cast<double>(turn.repeats + (turn.warm ? kWarmCalls : 0));
      turn.rounds =
          std::clamp(static_cast<int>(part / round), std::min(kFewestRounds, settings_.rounds), settings_.rounds);
    }
  }

  const Plan& plan_;
  const Settings& settings_;
  Team team_;
  std::vector<Turn> turns_;
  std::vector<std::size_t> readers_, writers_;  // per contender, its turn
  Rate adds_, fmas_, dots_, cycles_;
  bool cpu_time_ = false;
};

}  // namespace

Result measure(const Case& what, const Settings& settings) {
  unpin_thread();  // threads that the plan starts must not inherit one core
  const Plan plan = what.prepare();
  Session session(plan, settings);
  const bool pinned = plan.threads == 1 && pin_thread();
  session.run();
  Result result = session.result();
  result.name = what.name;
  result.description = what.description;
  result.pinned = pinned;
  return result;
}

bool quieter(const Result& a, const Result& b) {
  const auto logarithms = [](const Result& result) {
    double sum = 0;
    for (const Timing& timing : result.timings) sum += std::log(timing.ns) + std::log(std::max(timing.limit.ns, 1.0));
    return sum;
  };
  return logarithms(a) < logarithms(b);
}

}  // namespace bench
