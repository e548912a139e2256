// Decode attention: 8 kv heads, one new token, G query heads per kv head.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "cases/cases.hpp"
#include "cases/library.hpp"
#include "cases/uncompressed.hpp"

namespace bench {

namespace {

constexpr std::size_t kKvHeads = 8;
constexpr std::size_t kMostGroup = 8;

struct Shape {
  std::size_t head_dim, group, tokens;
  unsigned threads;
};

// Everything that does not depend on G, so that neighbouring cases share it.
struct Caches {
  Pool pool;
  LibraryCache library;
  tq_sequence sequence;
  std::vector<Tiles> tiles;
  std::vector<float> queries;         // for the library
  std::vector<float> scaled_queries;  // for the baselines

  Caches(std::size_t head_dim, std::size_t tokens, bool with_fp32)
      : pool(kKvHeads, head_dim),
        library(layer_options(kKvHeads, head_dim)),
        sequence(library.add_sequence()),
        queries(gaussian(kKvHeads * kMostGroup * head_dim, 3)),
        scaled_queries(queries) {
    library.append(sequence, pool, tokens);
    for (const Type type : {Type::kF16, Type::kBf16}) tiles.emplace_back(pool, type, kKvHeads, tokens);
    if (with_fp32) tiles.emplace_back(pool, Type::kF32, kKvHeads, tokens);
    const float factor = 1.4426950409f / std::sqrt(static_cast<float>(head_dim));
    for (float& q : scaled_queries) q *= factor;
  }
};

std::size_t last_level_cache() {
#if defined(_SC_LEVEL3_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (bytes > 0) return static_cast<std::size_t>(bytes);
#endif
  return std::size_t{32} << 20;
}

// Tokens whose codes (head_dim 128) fill the last-level cache at least four times; at most a gigabyte of fp16.
std::size_t tokens_out_of_cache() {
  std::size_t tokens = 131072;
  while (tokens < 262144 && tokens * kKvHeads * 134 < 4 * last_level_cache()) tokens *= 2;
  return tokens;
}

std::shared_ptr<Caches> caches_for(std::size_t head_dim, std::size_t tokens) {
  static std::shared_ptr<Caches> last;
  static std::size_t last_dim = 0, last_tokens = 0;
  if (last == nullptr || last_dim != head_dim || last_tokens != tokens) {
    last.reset();
    last = std::make_shared<Caches>(head_dim, tokens, tokens * head_dim <= 131072 * 128);
    last_dim = head_dim, last_tokens = tokens;
  }
  return last;
}

// What one plan needs beyond the caches.
struct Calls {
  std::shared_ptr<Caches> caches;
  PoolHandle pool{nullptr, tq_pool_destroy};
  std::unique_ptr<Team> team;
  std::vector<std::vector<float>> outputs;  // per contender

  float* new_output(const Shape& shape) {
    outputs.emplace_back(kKvHeads * shape.group * shape.head_dim);
    return outputs.back().data();
  }
};

void add_library(const std::string& name, const Shape& shape, tq_pool* pool, const std::shared_ptr<Calls>& calls,
                 Plan& plan) {
  const Caches& caches = *calls->caches;
  const auto call = std::make_shared<DecodeCall>(caches.library, std::vector{caches.sequence}, kKvHeads * shape.group,
                                                 shape.head_dim, caches.queries.data(), calls->new_output(shape), pool);
  Work work;
  if (plan.contenders.empty()) {
    work.data = caches.tiles[0].head(0);  // any memory of that size does
    work.bytes = caches.library.read_bytes();
    work.dots = 2.0 * static_cast<double>(kKvHeads * shape.group * shape.tokens * shape.head_dim);
  }
  plan.contenders.push_back({name, [call, calls] { call->run(); }, work});
}

void add_baselines(const Shape& shape, const std::shared_ptr<Calls>& calls, Plan& plan) {
  for (const Tiles& tiles : calls->caches->tiles) {
    const UncompressedCall call{&tiles, calls->caches->scaled_queries.data(), shape.group, calls->new_output(shape)};
    const Tiling tiling = tune_decode(call);
    Team* team = calls->team.get();
    plan.contenders.push_back({kTypeNames[static_cast<int>(tiles.type())],
                               [call, tiling, team, calls] { run_decode(call, tiling, team); }, work_of(call),
                               describe(tiling)});
  }
}

// Every contender must have computed about the same thing.
void compare(const Calls& calls, const Plan& plan) {
  for (const Contender& c : plan.contenders) c.run();
  const std::size_t reference = calls.outputs.size() - 1;
  for (std::size_t i = 0; i < reference; ++i) {
    const double error = difference(calls.outputs[i], calls.outputs[reference]);
    const double allowed = plan.contenders[i].name.starts_with("tq") ? 0.4 : 0.02;
    if (!(error < allowed)) {
      throw std::runtime_error(plan.contenders[i].name + " differs from " + plan.contenders[reference].name + " by " +
                               std::to_string(error) + " of its length");
    }
  }
}

Plan prepare(const Shape& shape) {
  const auto calls = std::make_shared<Calls>();
  calls->caches = caches_for(shape.head_dim, shape.tokens);
  calls->outputs.reserve(8);
  Plan plan;
  plan.units = static_cast<double>(kKvHeads * shape.tokens);
  plan.unit = "kv head and token";
  plan.threads = shape.threads;
  if (shape.threads > 1) {
    calls->pool = make_pool(shape.threads);
    calls->team = std::make_unique<Team>(shape.threads);
  }
  add_library("tq", shape, calls->pool.get(), calls, plan);
  if (shape.threads > 1) add_library("tq_one_thread", shape, nullptr, calls, plan);
  add_baselines(shape, calls, plan);
  compare(*calls, plan);
  return plan;
}

void add(const Shape& shape, std::vector<Case>& cases) {
  std::string name = "attend/d" + std::to_string(shape.head_dim) + "/g" + std::to_string(shape.group) + "/" +
                     std::to_string(shape.tokens);
  if (shape.threads > 1) name += "/t" + std::to_string(shape.threads);
  cases.push_back({name, "decode attention, 8 kv heads", [shape] { return prepare(shape); }});
}

}  // namespace

void add_attend_cases(const Scope& scope, std::vector<Case>& cases) {
  for (const std::size_t head_dim : {64, 128, 256}) {
    for (const std::size_t tokens : {std::size_t{1024}, std::size_t{4096}, std::size_t{16384}, std::size_t{65536}}) {
      if (scope.quick && (head_dim != 128 || tokens == 1024 || tokens == 16384)) continue;
      for (const std::size_t group : {1, 4, 8}) {
        if (scope.quick && group == 8) continue;
        add({head_dim, group, tokens, 1}, cases);
        if (head_dim == 128 && tokens == 65536 && group != 8) add({head_dim, group, tokens, 2}, cases);
      }
    }
  }
  if (scope.quick) return;
  for (const std::size_t group : {1, 4}) add({128, group, tokens_out_of_cache(), 1}, cases);
}

}  // namespace bench
