#include "handles.hpp"
#include "layer_options.hpp"

using namespace tq;
using namespace tq::capi;

namespace {

Buffer<LayerOptions> checked_layers(const Allocator& allocator, const tq_cache_options& options) {
  check_range(options.layer_count, 1, 65536, "layer_count");
  const std::uint32_t given = options.layers_given == 0 ? options.layer_count : options.layers_given;
  if (given != 1 && given != options.layer_count)
    invalid("layers_given is %u; expected 0, 1 or layer_count, %u", given, options.layer_count);
  require(options.layers, "layers");
  Buffer<LayerOptions> layers(allocator, given);
  const auto* at = reinterpret_cast<const char*>(options.layers);
  const std::uint32_t size = options.layers->struct_size;
  for (std::uint32_t i = 0; i < given; ++i, at += size) {
    const auto* layer = reinterpret_cast<const tq_layer_options*>(at);
    if (layer->struct_size != size)
      invalid("layers[%u]: struct_size is %u, but that of layers[0] is %u", i, layer->struct_size, size);
    layers[i] = checked(read_struct(layer, "layers", default_layer_options()));
  }
  return layers;
}

template <class T>
T empty_struct() {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}

std::uint64_t unsigned_count(const std::atomic<std::int64_t>& count) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, count.load(std::memory_order_relaxed)));
}

double quotient(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

tq_cache_statistics statistics_of(const Cache& cache) {
  const Account& account = cache.account();
  tq_cache_statistics stats{};
  stats.sequences = cache.sequences();
  stats.tokens = unsigned_count(account.tokens);
  stats.coded_tokens = unsigned_count(account.coded_tokens);
  stats.bytes = account.bytes();
  stats.peak_bytes = account.peak();
  stats.budget_bytes = account.budget();
  stats.code_bytes = unsigned_count(account.code_bytes);
  stats.scale_bytes = unsigned_count(account.scale_bytes);
  stats.mean_bytes = unsigned_count(account.mean_bytes);
  stats.exact_bytes = unsigned_count(account.exact_bytes);
  const std::uint64_t named = stats.code_bytes + stats.scale_bytes + stats.mean_bytes + stats.exact_bytes;
  stats.overhead_bytes = stats.bytes > named ? stats.bytes - named : 0;
  stats.coded_bytes = unsigned_count(account.coded_bytes);
  stats.bytes_16bit = unsigned_count(account.bytes_16bit);
  stats.coded_bytes_16bit = unsigned_count(account.coded_bytes_16bit);
  stats.ratio = stats.bytes_16bit == 0 ? 0.0 : quotient(stats.bytes_16bit, stats.bytes);
  stats.ratio_coded = quotient(stats.coded_bytes_16bit, stats.coded_bytes);
  const Counters& counters = cache.counters();
  stats.append_calls = counters.append_calls.load(std::memory_order_relaxed);
  stats.append_ns = counters.append_ns.load(std::memory_order_relaxed);
  stats.append_bytes = counters.append_bytes.load(std::memory_order_relaxed);
  stats.attend_calls = counters.attend_calls.load(std::memory_order_relaxed);
  stats.attend_ns = counters.attend_ns.load(std::memory_order_relaxed);
  stats.attend_bytes = counters.attend_bytes.load(std::memory_order_relaxed);
  stats.merge_ns = counters.merge_ns.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace

namespace tq::capi {

const Layer& layer_of(const Cache& cache, std::uint32_t index) {
  if (index >= cache.layer_count()) invalid("layer is %u; the cache has %zu", index, cache.layer_count());
  return cache.layer(index);
}

TokenSource tokens_from(const tq_kv* kv, const Layer& layer, const char* name) {
  const tq_kv own = read_struct(kv, name, empty_struct<tq_kv>());
  const LayerOptions& options = layer.options();
  const Element element = element_from(own.dtype, "dtype");
  const Strides keys = strides_from(own.key_token_stride, own.key_head_stride, own.count, options.kv_heads,
                                    options.keys.dim, "key strides");
  const Strides values = strides_from(own.value_token_stride, own.value_head_stride, own.count, options.kv_heads,
                                      options.values.dim, "value strides");
  if (own.count != 0) {
    require(own.keys, "keys");
    require(own.values, "values");
  }
  return {element, own.count, own.keys, own.values, keys.token, keys.head, values.token, values.head};
}

}  // namespace tq::capi

extern "C" {

void tq_layer_options_init(tq_layer_options* options, uint32_t struct_size) {
  write_defaults(options, struct_size, default_layer_options());
}
void tq_cache_options_init(tq_cache_options* options, uint32_t struct_size) {
  write_defaults(options, struct_size, tq_cache_options{});
}
void tq_kv_init(tq_kv* kv, uint32_t struct_size) { write_defaults(kv, struct_size, tq_kv{}); }
void tq_kv_out_init(tq_kv_out* kv, uint32_t struct_size) { write_defaults(kv, struct_size, tq_kv_out{}); }
void tq_cache_statistics_init(tq_cache_statistics* stats, uint32_t struct_size) {
  write_defaults(stats, struct_size, tq_cache_statistics{});
}

tq_status tq_cache_create(const tq_cache_options* options, tq_cache** out, tq_error* err) {
  return guarded(err, [&] {
    require(out, "out");
    require_known_cpu_target();
    const tq_cache_options own = read_struct(options, "options", tq_cache_options{});
    if (own.reserved != 0) invalid("reserved is %u; expected 0", own.reserved);
    const Allocator allocator = allocator_from(own.allocator);
    const Buffer<LayerOptions> layers = checked_layers(allocator, own);
    *out = create<tq_cache>(allocator, allocator, own.byte_budget, layers.data(), std::size_t{own.layer_count},
                            layers.size());
  });
}

void tq_cache_destroy(tq_cache* cache) {
  if (cache != nullptr) destroy(cache->cache.allocator(), cache);
}

tq_status tq_sequence_create(tq_cache* cache, tq_sequence* out, tq_error* err) {
  return guarded(err, [&] {
    require(out, "out");
    *out = require(cache, "cache")->cache.create();
  });
}

tq_status tq_sequence_fork(tq_cache* cache, tq_sequence sequence, tq_sequence* out, tq_error* err) {
  return guarded(err, [&] {
    require(out, "out");
    *out = require(cache, "cache")->cache.fork(sequence);
  });
}

tq_status tq_sequence_truncate(tq_cache* cache, tq_sequence sequence, size_t length, tq_error* err) {
  return guarded(err, [&] { require(cache, "cache")->cache.truncate(sequence, length); });
}

tq_status tq_sequence_destroy(tq_cache* cache, tq_sequence sequence, tq_error* err) {
  return guarded(err, [&] { require(cache, "cache")->cache.destroy(sequence); });
}

tq_status tq_sequence_length(const tq_cache* cache, tq_sequence sequence, uint32_t layer, size_t* out, tq_error* err) {
  return guarded(err, [&] {
    const Cache& own = require(cache, "cache")->cache;
    require(out, "out");
    layer_of(own, layer);
    *out = own.sequence(sequence).layer(layer).length();
  });
}

tq_status tq_cache_append(tq_cache* cache, tq_sequence sequence, uint32_t layer, const tq_kv* kv, tq_error* err) {
  return guarded(err, [&] {
    Cache& own = require(cache, "cache")->cache;
    own.append(sequence, layer, tokens_from(kv, layer_of(own, layer), "kv"));
  });
}

tq_status tq_cache_read(const tq_cache* cache, tq_sequence sequence, uint32_t layer, size_t first, size_t count,
                        const tq_kv_out* out, tq_error* err) {
  return guarded(err, [&] {
    const Cache& own = require(cache, "cache")->cache;
    const LayerOptions& options = layer_of(own, layer).options();
    const tq_kv_out to = read_struct(out, "out", empty_struct<tq_kv_out>());
    const Strides keys =
        strides_from(to.key_token_stride, to.key_head_stride, count, options.kv_heads, options.keys.dim, "key strides");
    const Strides values = strides_from(to.value_token_stride, to.value_head_stride, count, options.kv_heads,
                                        options.values.dim, "value strides");
    own.read(sequence, layer, first, count,
             {element_from(to.dtype, "dtype"), to.keys, to.values, keys.token, keys.head, values.token, values.head});
  });
}

tq_status tq_cache_stats(const tq_cache* cache, tq_cache_statistics* stats, tq_error* err) {
  return guarded(err, [&] {
    const Cache& own = require(cache, "cache")->cache;
    const std::uint32_t size = require(stats, "stats")->struct_size;
    constexpr std::size_t first_size = sizeof(tq_cache_statistics);
    if (size < first_size) invalid("stats: struct_size is %u; version 0.1 has %zu bytes", size, first_size);
    write_struct(stats, size, statistics_of(own));
  });
}

}  // extern "C"
