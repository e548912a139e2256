// Tokens into the cache and out again: 8 kv heads, keys and values, centring included.
#include "cases/cases.hpp"
#include "cases/codec_support.hpp"
#include "cases/library.hpp"

namespace bench {

namespace {

constexpr std::size_t kKvHeads = 8;

struct Shape {
  std::size_t head_dim;
  tq_dtype dtype;
  bool search;
};

struct State {
  Arena arena;  // outlives the cache
  Pool pool;
  std::vector<char> keys, values;
  LibraryCache cache;

  State(const Shape& shape, const tq_layer_options& layer)
      : pool(kKvHeads, shape.head_dim),
        keys(elements(pool.keys, shape.dtype)),
        values(elements(pool.values, shape.dtype)),
        cache(layer, allocator()) {}

  tq_kv tokens(tq_dtype dtype) const {
    tq_kv kv;
    tq_kv_init(&kv, sizeof kv);
    kv.dtype = dtype, kv.count = Pool::kTokens, kv.keys = keys.data(), kv.values = values.data();
    return kv;
  }

 private:
  const tq_allocator* allocator() {
    callbacks_ = arena.callbacks();
    return &callbacks_;
  }
  tq_allocator callbacks_;
};

std::shared_ptr<State> state_for(const Shape& shape) {
  tq_layer_options layer = layer_options(kKvHeads, shape.head_dim);
  layer.scale_search = shape.search ? 1 : 0;
  return std::make_shared<State>(shape, layer);
}

Plan plan_of(const Shape& shape, std::function<void()> run) {
  constexpr std::size_t kVectors = 2 * kKvHeads * Pool::kTokens;
  Plan plan;
  plan.units = kVectors;
  plan.unit = "vector";
  plan.contenders = {{"tq", std::move(run), transform_work(shape.head_dim, kVectors)},
                     transforms(shape.head_dim, kVectors)};
  return plan;
}

Plan prepare_encode(const Shape& shape) {
  const auto state = state_for(shape);
  return plan_of(shape, [state, shape] {
    const tq_sequence sequence = state->cache.add_sequence();
    const tq_kv kv = state->tokens(shape.dtype);
    check(tq_cache_append(state->cache.handle(), sequence, 0, &kv, &last_error));
    check(tq_sequence_destroy(state->cache.handle(), sequence, &last_error));
  });
}

Plan prepare_decode(const Shape& shape) {
  const auto state = state_for(shape);
  const tq_sequence sequence = state->cache.add_sequence();
  const tq_kv kv = state->tokens(shape.dtype);
  check(tq_cache_append(state->cache.handle(), sequence, 0, &kv, &last_error));
  return plan_of(shape, [state, shape, sequence] {
    tq_kv_out out;
    tq_kv_out_init(&out, sizeof out);
    out.dtype = shape.dtype, out.keys = state->keys.data(), out.values = state->values.data();
    check(tq_cache_read(state->cache.handle(), sequence, 0, 0, Pool::kTokens, &out, &last_error));
  });
}

}  // namespace

void add_cache_codec_cases(const Scope& scope, std::vector<Case>& cases) {
  for (const std::size_t head_dim : {64, 128, 256}) {
    if (scope.quick && head_dim != 128) continue;
    const std::string dim = "/d" + std::to_string(head_dim) + "/";
    for (const tq_dtype dtype : {TQ_F16, TQ_BF16, TQ_F32}) {
      if (scope.quick && dtype != TQ_F16) continue;
      for (const bool search : {true, false}) {
        const Shape shape{head_dim, dtype, search};
        cases.push_back({"encode/cache" + dim + dtype_name(dtype) + (search ? "" : "/nosearch"),
                         "tq_cache_append of 1024 tokens", [shape] { return prepare_encode(shape); }});
      }
    }
    for (const tq_dtype dtype : {TQ_F32, TQ_F16}) {
      const Shape shape{head_dim, dtype, true};
      cases.push_back({"decode/cache" + dim + dtype_name(dtype), "tq_cache_read of 1024 tokens",
                       [shape] { return prepare_decode(shape); }});
    }
  }
}

}  // namespace bench
