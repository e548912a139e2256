// Decode attention: 8 kv heads, one new token, G query heads per kv head.
#include <algorithm>

#include "cases/cases.hpp"
#include "cases/library.hpp"
#include "cases/outputs.hpp"
#include "cases/uncompressed.hpp"
#include "ggml/ggml.hpp"
#include "harness/machine.hpp"

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
  std::vector<float> queries;  // for the library
  std::vector<float> scaled;   // for the baselines

  Caches(std::size_t head_dim, std::size_t tokens, bool with_fp32)
      : pool(kKvHeads, head_dim),
        library(layer_options(kKvHeads, head_dim)),
        sequence(library.add_sequence()),
        queries(gaussian(kKvHeads * kMostGroup * head_dim, 3)),
        scaled(scaled_queries(queries, head_dim)) {
    library.append(sequence, pool, tokens);
    for (const Type type : {Type::kF16, Type::kBf16}) tiles.emplace_back(pool, type, kKvHeads, tokens);
    if (with_fp32) tiles.emplace_back(pool, Type::kF32, kKvHeads, tokens);
  }
};

// Tokens whose codes (head_dim 128) fill the last-level cache at least four times; at most a gigabyte of fp16.
std::size_t tokens_out_of_cache() {
  const std::size_t last_level = std::max(cache_bytes(2), cache_bytes(3));
  std::size_t tokens = 131072;
  while (tokens < 262144 && tokens * kKvHeads * 134 < 4 * last_level) tokens *= 2;
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
  Outputs outputs;

  float* new_output(const Shape& shape) { return outputs.add(kKvHeads * shape.group * shape.head_dim); }
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
    const UncompressedCall call{&tiles, calls->caches->scaled.data(), shape.group, calls->new_output(shape)};
    const Tiling tiling = tune_decode(call);
    Team* team = calls->team.get();
    plan.contenders.push_back({kTypeNames[static_cast<int>(tiles.type())],
                               [call, tiling, team, calls] { run_decode(call, tiling, team); }, work_of(call),
                               describe(tiling)});
  }
}

// ggml converts nothing beforehand, so one call is what a llama.cpp layer pays. Its fastest layout is head after head;
// llama.cpp itself keeps [token][head].
void add_ggml(const Shape& shape, const std::shared_ptr<Calls>& calls, Plan& plan) {
  if (!ggml_available() || shape.head_dim != 128 || shape.threads > 1 || shape.tokens > 65536) return;
  const Caches& caches = *calls->caches;
  const auto add = [&](GgmlType type, bool token_major) {
    const auto attention = std::make_shared<GgmlAttention>(
        GgmlShape{type, kKvHeads * shape.group, shape.tokens, 1, token_major}, caches.pool, caches.queries);
    attention->run();
    attention->copy_output(calls->new_output(shape));
    plan.contenders.push_back({attention->name(),
                               [attention, calls] { attention->run(); },
                               {},
                               token_major ? "[token][head], as llama.cpp keeps it" : "head after head"});
  };
  for (const GgmlType type : {GgmlType::kF16, GgmlType::kQ8_0, GgmlType::kQ4_0}) add(type, false);
  if (shape.group == 4) add(GgmlType::kF16, true);
}

Plan prepare(const Shape& shape) {
  const auto calls = std::make_shared<Calls>();
  calls->caches = caches_for(shape.head_dim, shape.tokens);
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
  add_ggml(shape, calls, plan);
  calls->outputs.compare(plan);
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
