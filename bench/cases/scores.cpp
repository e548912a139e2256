// tq_scores: all dot products of G queries with many keys in the block layout, against fp16, bf16 and fp32 key panels.
#include <map>

#include "cases/cases.hpp"
#include "cases/library.hpp"
#include "cases/outputs.hpp"
#include "cases/uncompressed.hpp"

namespace bench {

namespace {

constexpr std::size_t kKvHeads = 8;

struct Shape {
  std::size_t head_dim, group, keys;
};

struct State {
  Pool pool;  // its heads lie one after another here: key i is row i of the pool
  std::unique_ptr<tq_codec, decltype(&tq_codec_destroy)> codec{nullptr, tq_codec_destroy};
  Memory codes;
  std::vector<Tiles> tiles;
  std::vector<float> queries;
  Outputs outputs;

  explicit State(const Shape& shape) : pool(1, shape.head_dim), codes(code_bytes(shape)) {
    queries = gaussian(shape.group * shape.head_dim, 3);
    constexpr std::size_t kPart = Pool::kTokens;  // 16 blocks: encoded once, repeated
    const std::size_t part = tq_codec_encoded_bytes(codec.get(), kPart);
    for (std::size_t first = 0; first < shape.keys; first += kPart) {
      check(tq_encode(codec.get(), pool.keys.data(), TQ_F32, 0, kPart, codes.as<char>() + first / kPart * part, part,
                      &last_error));
    }
    for (const Type type : {Type::kF16, Type::kBf16, Type::kF32}) tiles.emplace_back(pool, type, 1, shape.keys, false);
  }

 private:
  std::size_t code_bytes(const Shape& shape) {
    tq_codec_options options;
    tq_codec_options_init(&options, sizeof options);
    options.head_dim = static_cast<std::uint32_t>(shape.head_dim);
    options.layout = TQ_LAYOUT_BLOCKS;
    tq_codec* made = nullptr;
    check(tq_codec_create(&options, &made, &last_error));
    codec.reset(made);
    return tq_codec_encoded_bytes(made, shape.keys);
  }
};

// out[row][key]
void score_panels(const Tiles& tiles, const Panel& panel, const float* queries, std::size_t rows, float* out) {
  const std::size_t d = tiles.head_dim(), keys = tiles.tokens();
  if (panel.tiles) baselines().attention.begin_tiles(rows);
  for (std::size_t i = 0; i < keys; i += kTileTokens) {
    const char* tile = tiles.head(0) + i / kTileTokens * tiles.tile_bytes();
    panel.run(queries, d, rows, tile, d, out + i, keys, false, tiles.tile_bytes());
  }
  if (panel.tiles) baselines().attention.end_tiles();
}

Plan prepare(const Shape& shape) {
  const auto state = std::make_shared<State>(shape);
  const double products = static_cast<double>(shape.group * shape.keys * shape.head_dim);
  Plan plan;
  plan.units = static_cast<double>(shape.keys);
  plan.unit = "key";
  Work work;
  work.data = state->codes.as<char>(), work.bytes = state->codes.bytes(), work.dots = products;
  float* out = state->outputs.add(shape.group * shape.keys);
  plan.contenders.push_back({"tq",
                             [=] {
                               check(tq_scores(state->codec.get(), state->codes.as<char>(), state->codes.bytes(),
                                               shape.keys, state->queries.data(), shape.group, out, &last_error));
                             },
                             work});
  for (const Tiles& tiles : state->tiles) {
    float* scores = state->outputs.add(shape.group * shape.keys);
    const auto run = [=, &tiles](const Panel& panel) {
      score_panels(tiles, panel, state->queries.data(), shape.group, scores);
    };
    const Panel panel = fastest_panel(tiles.type(), shape.group, run);
    Work least;
    least.data = tiles.head(0), least.bytes = tiles.bytes();
    least.fmas = multiply_adds_of(tiles, shape.group, products);
    plan.contenders.push_back(
        {kTypeNames[static_cast<int>(tiles.type())], [=] { run(panel); }, least, "register tile " + describe(panel)});
  }
  state->outputs.compare(plan, 0.2);
  return plan;
}

}  // namespace

void add_scores_cases(const Scope& scope, std::vector<Case>& cases) {
  const auto add = [&](const Shape& shape) {
    cases.push_back({"scores/d" + std::to_string(shape.head_dim) + "/g" + std::to_string(shape.group) + "/" +
                         std::to_string(shape.keys),
                     "tq_scores, block layout", [shape] { return prepare(shape); }});
  };
  for (const std::size_t head_dim : {64, 128, 256}) {
    if (scope.quick && head_dim != 128) continue;
    for (const std::size_t group : {1, 4, 8}) add({head_dim, group, 16384});
  }
  if (scope.quick) return;
  for (const std::size_t group : {1, 4}) add({128, group, std::size_t{1} << 20});
}

}  // namespace bench
