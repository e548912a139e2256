// Prefill: new tokens with 32 query heads on 8 kv heads behind 4096 cached tokens; head_dim 128. The limit is that of
// f32 multiply-adds for everybody; integer dot products and tile registers may beat it.
#include <algorithm>

#include "cases/cases.hpp"
#include "cases/library.hpp"
#include "cases/outputs.hpp"
#include "cases/uncompressed.hpp"
#include "ggml/ggml.hpp"

namespace bench {

namespace {

constexpr std::size_t kKvHeads = 8, kGroup = 4, kQueryHeads = kKvHeads * kGroup, kHeadDim = 128;

struct Shape {
  std::size_t new_tokens, cached;
  unsigned threads;
};

// [new token][q head][head_dim] to [kv head][new token][head of the group][head_dim]
void regroup(const std::vector<float>& rows, std::size_t new_tokens, float* out) {
  constexpr std::size_t kGroupFloats = kGroup * kHeadDim;
  for (std::size_t t = 0; t < new_tokens; ++t) {
    for (std::size_t h = 0; h < kKvHeads; ++h) {
      const float* from = rows.data() + (t * kKvHeads + h) * kGroupFloats;
      std::copy_n(from, kGroupFloats, out + (h * new_tokens + t) * kGroupFloats);
    }
  }
}

struct State {
  Pool pool{kKvHeads, kHeadDim};
  LibraryCache library{layer_options(kKvHeads, kHeadDim)};
  PoolHandle threads{nullptr, tq_pool_destroy};
  Team team;
  std::vector<Tiles> tiles;    // cached and new tokens
  std::vector<float> queries;  // [new token][q head][head_dim], as the library wants them
  std::vector<float> scaled;   // [kv head][new token][head of the group][head_dim], as the baselines do
  std::vector<float> out;      // of the library
  Outputs outputs;

  explicit State(const Shape& shape)
      : team(shape.threads),
        queries(gaussian(kQueryHeads * shape.new_tokens * kHeadDim, 3)),
        scaled(queries.size()),
        out(queries.size()) {
    regroup(scaled_queries(queries, kHeadDim), shape.new_tokens, scaled.data());
    if (shape.threads > 1) threads = make_pool(shape.threads);
    for (const Type type : {Type::kF16, Type::kBf16, Type::kF32})
      tiles.emplace_back(pool, type, kKvHeads, shape.cached + shape.new_tokens);
  }
};

// The library's side of the call: the new tokens are not appended, as in a real forward pass.
struct Call {
  tq_attend_options options;
  tq_attend_item item;
  tq_kv fresh;

  Call(const Shape& shape, State& state) {
    tq_kv_init(&fresh, sizeof fresh);
    const std::size_t at = shape.cached % Pool::kTokens * kKvHeads * kHeadDim;  // the tiles go on with these
    fresh.dtype = TQ_F16, fresh.count = shape.new_tokens;
    fresh.keys = state.pool.keys_f16.data() + at, fresh.values = state.pool.values_f16.data() + at;
    tq_attend_options_init(&options, sizeof options);
    options.q_heads = kQueryHeads, options.pool = state.threads.get();
    tq_attend_item_init(&item, sizeof item);
    item.sequence = state.library.add_sequence();
    state.library.append(item.sequence, state.pool, shape.cached);
    item.n_query = shape.new_tokens, item.query = state.queries.data(), item.output = state.out.data();
  }
  void run(const State& state) {
    item.new_tokens = &fresh;
    check(tq_attend(state.library.handle(), &options, &item, 1, &last_error));
  }
};

double multiply_adds(const Shape& shape) {
  const auto new_tokens = static_cast<double>(shape.new_tokens);
  const double pairs = new_tokens * static_cast<double>(shape.cached) + new_tokens * (new_tokens + 1) / 2;
  return 2 * pairs * static_cast<double>(kQueryHeads * kHeadDim);
}

Plan prepare(const Shape& shape) {
  const auto state = std::make_shared<State>(shape);
  const auto call = std::make_shared<Call>(shape, *state);
  call->run(*state);
  regroup(state->out, shape.new_tokens, state->outputs.add(state->out.size()));
  Plan plan;
  plan.units = static_cast<double>(shape.new_tokens);
  plan.unit = "new token";
  plan.threads = shape.threads;
  Work work;
  work.fmas = multiply_adds(shape);
  plan.contenders.push_back({"tq", [state, call] { call->run(*state); }, work});
  for (const Tiles& tiles : state->tiles) {
    const UncompressedCall baseline{&tiles, state->scaled.data(), shape.new_tokens * kGroup,
                                    state->outputs.add(state->scaled.size())};
    const PrefillShape rows{shape.new_tokens, kGroup};
    const Tiling tiling = tune_prefill(baseline, rows);
    plan.contenders.push_back({kTypeNames[static_cast<int>(tiles.type())],
                               [=] { run_prefill(baseline, rows, tiling, &state->team); }, work, describe(tiling)});
  }
  if (ggml_available() && shape.threads == 1) {
    const GgmlShape ggml{GgmlType::kF16, kQueryHeads, shape.cached + shape.new_tokens, shape.new_tokens, false};
    const auto attention = std::make_shared<GgmlAttention>(ggml, state->pool, state->queries);
    attention->run();
    std::vector<float> out(state->queries.size());
    attention->copy_output(out.data());
    regroup(out, shape.new_tokens, state->outputs.add(out.size()));
    plan.contenders.push_back({attention->name(), [attention] { attention->run(); }, work});
  }
  state->outputs.compare(plan);
  return plan;
}

}  // namespace

void add_prefill_cases(const Scope& scope, std::vector<Case>& cases) {
  for (const Shape& shape : {Shape{64, 4096, 1}, Shape{512, 4096, 1}, Shape{512, 4096, 2}}) {
    if (scope.quick && shape.new_tokens == 512) continue;
    cases.push_back({"prefill/d128/g4/" + std::to_string(shape.new_tokens) + "x" + std::to_string(shape.cached) +
                         (shape.threads > 1 ? "/t2" : ""),
                     "new tokens behind cached ones, 32 query heads, 8 kv heads", [shape] { return prepare(shape); }});
  }
}

}  // namespace bench
