// 16 sequences with one new token each: one tq_attend call against 16 of them.
#include "cases/cases.hpp"
#include "cases/library.hpp"
#include "cases/outputs.hpp"
#include "cases/uncompressed.hpp"

namespace bench {

namespace {

constexpr std::size_t kKvHeads = 8, kSequences = 16, kHeadDim = 128;

struct Shape {
  std::size_t group, tokens;
  unsigned threads;
};

struct State {
  Pool pool{kKvHeads, kHeadDim};
  LibraryCache library{layer_options(kKvHeads, kHeadDim)};
  std::vector<tq_sequence> sequences;
  std::vector<Tiles> tiles;  // of all sequences, one after another
  std::vector<float> queries, scaled;
  PoolHandle threads{nullptr, tq_pool_destroy};
  Team team;
  Outputs outputs;

  explicit State(const Shape& shape)
      : queries(gaussian(kSequences * kKvHeads * shape.group * kHeadDim, 3)),
        scaled(scaled_queries(queries, kHeadDim)),
        team(shape.threads) {
    if (shape.threads > 1) threads = make_pool(shape.threads);
    for (std::size_t i = 0; i < kSequences; ++i) {
      sequences.push_back(library.add_sequence());
      library.append(sequences.back(), pool, shape.tokens);
    }
    for (const Type type : {Type::kF16, Type::kBf16})
      tiles.emplace_back(pool, type, kSequences * kKvHeads, shape.tokens);
  }
  float* new_output() { return outputs.add(queries.size()); }
};

Plan prepare(const Shape& shape) {
  const auto state = std::make_shared<State>(shape);
  const std::size_t q_heads = kKvHeads * shape.group;
  const auto call_into = [&](float* out) {
    return std::make_shared<DecodeCall>(state->library, state->sequences, q_heads, kHeadDim, state->queries.data(), out,
                                        state->threads.get());
  };
  Plan plan;
  plan.units = static_cast<double>(kSequences * kKvHeads * shape.tokens);
  plan.unit = "kv head and token";
  plan.threads = shape.threads;
  Work work;
  work.data = state->tiles[0].head(0), work.bytes = state->library.read_bytes();
  work.dots = 2.0 * plan.units * static_cast<double>(shape.group * kHeadDim);
  const auto one = call_into(state->new_output()), many = call_into(state->new_output());
  plan.contenders = {{"tq", [one, state] { one->run(); }, work},
                     {"tq_16_calls", [many, state] { many->run_one_by_one(); }, {}}};
  for (const Tiles& tiles : state->tiles) {
    const UncompressedCall call{&tiles, state->scaled.data(), shape.group, state->new_output()};
    const Tiling tiling = tune_decode(call);
    plan.contenders.push_back({kTypeNames[static_cast<int>(tiles.type())],
                               [=] { run_decode(call, tiling, &state->team); }, work_of(call), describe(tiling)});
  }
  state->outputs.compare(plan);
  return plan;
}

}  // namespace

void add_batch_cases(const Scope& scope, std::vector<Case>& cases) {
  for (const std::size_t tokens : {128, 1024}) {
    for (const std::size_t group : {1, 4}) {
      for (const unsigned threads : {1u, 2u}) {
        if (scope.quick && (group == 1 || tokens == 128)) continue;
        const Shape shape{group, tokens, threads};
        cases.push_back(
            {"batch/d128/g" + std::to_string(group) + "/16x" + std::to_string(tokens) + (threads > 1 ? "/t2" : ""),
             "16 sequences, 8 kv heads, one new token each", [shape] { return prepare(shape); }});
      }
    }
  }
}

}  // namespace bench
