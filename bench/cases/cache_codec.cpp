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
  bool search = true;
  std::size_t piece = Pool::kTokens;  // tokens that are read at a time, all into the same memory
};

std::vector<float> keys_and_values(const Pool& pool) {
  std::vector<float> all = pool.keys;
  all.insert(all.end(), pool.values.begin(), pool.values.end());
  return all;
}

struct State {
  Arena arena;  // outlives the cache
  Memory tokens;
  LibraryCache cache;

  State(const Shape& shape, const tq_layer_options& layer)
      : tokens(elements(keys_and_values(Pool(kKvHeads, shape.head_dim)), shape.dtype)), cache(layer, allocator()) {}

  void append(tq_sequence sequence, tq_dtype dtype) {
    tq_kv kv;
    tq_kv_init(&kv, sizeof kv);
    kv.dtype = dtype, kv.count = Pool::kTokens;
    kv.keys = tokens.as<char>(), kv.values = tokens.as<char>() + tokens.bytes() / 2;
    check(tq_cache_append(cache.handle(), sequence, 0, &kv, &last_error));
  }
  void read(tq_sequence sequence, const Shape& shape) {
    tq_kv_out out;
    tq_kv_out_init(&out, sizeof out);
    out.dtype = shape.dtype, out.keys = tokens.as<char>(), out.values = tokens.as<char>() + written(shape) / 2;
    for (std::size_t first = 0; first < Pool::kTokens; first += shape.piece)
      check(tq_cache_read(cache.handle(), sequence, 0, first, shape.piece, &out, &last_error));
  }
  std::size_t written(const Shape& shape) const { return tokens.bytes() / Pool::kTokens * shape.piece; }

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

constexpr std::size_t kVectors = 2 * kKvHeads * Pool::kTokens;

Plan plan_of(const Shape& shape, std::function<void()> run, const Work& work) {
  Plan plan;
  plan.units = kVectors;
  plan.unit = "vector";
  plan.contenders = {{"tq", std::move(run), work}, transforms(shape.head_dim, kVectors)};
  return plan;
}

Plan prepare_encode(const Shape& shape) {
  const auto state = state_for(shape);
  const auto run = [state, shape] {
    const tq_sequence sequence = state->cache.add_sequence();
    state->append(sequence, shape.dtype);
    check(tq_sequence_destroy(state->cache.handle(), sequence, &last_error));
  };
  Work work = transform_work(shape.head_dim, kVectors);
  work.data = state->tokens.as<char>(), work.bytes = state->tokens.bytes();
  return plan_of(shape, run, work);
}

Plan prepare_decode(const Shape& shape) {
  const auto state = state_for(shape);
  const tq_sequence sequence = state->cache.add_sequence();
  state->append(sequence, shape.dtype);
  Work work = transform_work(shape.head_dim, kVectors);
  if (shape.piece == Pool::kTokens) work.written = state->tokens.as<char>(), work.written_bytes = state->tokens.bytes();
  return plan_of(
      shape, [state, shape, sequence] { state->read(sequence, shape); }, work);
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
      Shape shape{head_dim, dtype};
      const std::string name = "decode/cache" + dim + dtype_name(dtype);
      cases.push_back({name, "tq_cache_read of 1024 tokens", [shape] { return prepare_decode(shape); }});
      shape.piece = 64;
      cases.push_back({name + "/64", "the same, 64 tokens at a time into the same memory",
                       [shape] { return prepare_decode(shape); }});
    }
  }
}

}  // namespace bench
