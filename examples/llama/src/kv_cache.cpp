#include "kv_cache.hpp"

#include <stdexcept>

#include "error.hpp"

namespace llama {
namespace {

// Every fallible call of the library returns a status and explains itself in a tq_error that the caller owns.
class Call {
 public:
  explicit Call(const char* function) : function_(function) { tq_error_init(&error_, sizeof error_); }

  tq_error* error() { return &error_; }

  void check(tq_status status) const {
    if (status == TQ_OK) return;
    const std::string text = sentence(function_, ": ", error_.message, " (", tq_status_name(status), ")");
    const bool of_the_user = status == TQ_ERR_INVALID_ARGUMENT || status == TQ_ERR_UNSUPPORTED ||
                             status == TQ_ERR_CORRUPT_DATA || status == TQ_ERR_NOT_FOUND;
    if (of_the_user) throw BadInput(text);
    throw std::runtime_error(text);
  }

 private:
  const char* function_;
  tq_error error_;
};

tq_layer_options layer_options(const CacheShape& shape, const CacheChoice& choice) {
  tq_layer_options layer;
  tq_layer_options_init(&layer, sizeof layer);
  layer.kv_heads = static_cast<std::uint32_t>(shape.kv_heads);
  layer.key_dim = static_cast<std::uint32_t>(shape.head_dim);  // value_dim: the same unless it is set
  layer.key_format = choice.key_format;
  layer.value_format = choice.value_format;
  layer.key_group_size = layer.value_group_size = choice.group_size;
  layer.key_rotation_block = layer.value_rotation_block = choice.rotation_block;
  layer.center_keys = choice.center_keys;
  layer.scale_search = choice.scale_search;
  layer.sink_tokens = choice.sink_tokens;
  layer.recent_blocks = choice.recent_blocks;
  layer.seed = choice.seed;
  return layer;
}

struct DestroyProfile {
  void operator()(tq_profile* profile) const { tq_profile_destroy(profile); }
};
using Profile = std::unique_ptr<tq_profile, DestroyProfile>;

// A profile knows its model by a fingerprint that only its maker can compute; what can be checked here is the shape.
void check_layer(const std::string& path, std::size_t index, const tq_layer_options& layer, const CacheShape& shape) {
  const std::uint32_t value_dim = layer.value_dim == 0 ? layer.key_dim : layer.value_dim;
  if (layer.kv_heads != shape.kv_heads || layer.key_dim != shape.head_dim || value_dim != shape.head_dim)
    refuse("--profile ", path, ": layer ", index, " has ", layer.kv_heads, " key-value heads of ", layer.key_dim,
           " and ", value_dim, " numbers, but the model has ", shape.kv_heads, " of ", shape.head_dim,
           ": give a profile of this model");
  if (layer.window != 0)
    refuse("--profile ", path, ": layer ", index, " has a sliding window of ", layer.window,
           " tokens, but the model has none: give a profile of this model");
}

Profile load_profile(const std::string& path, const CacheShape& shape) {
  tq_profile* loaded = nullptr;
  Call load("--profile");
  load.check(tq_profile_load(path.c_str(), nullptr, &loaded, load.error()));
  Profile profile(loaded);
  const std::uint32_t layers = tq_profile_layer_count(loaded);
  if (layers != shape.layers)
    refuse("--profile ", path, " is for ", tq_profile_name(loaded), ", a model of ", layers,
           " layers, but this one has ", shape.layers, ": give a profile of this model");
  for (std::uint32_t i = 0; i < layers; ++i) {
    tq_layer_options layer;
    tq_layer_options_init(&layer, sizeof layer);
    Call get("tq_profile_layer");
    get.check(tq_profile_layer(loaded, i, &layer, get.error()));
    check_layer(path, i, layer, shape);
  }
  return profile;
}

tq_kv as_kv(const NewTokens& tokens) {
  tq_kv kv;
  tq_kv_init(&kv, sizeof kv);
  kv.dtype = TQ_F16;
  kv.count = tokens.count;
  kv.keys = tokens.keys;  // strides of 0, which tq_kv_init sets, mean contiguous
  kv.values = tokens.values;
  return kv;
}

// Lends our threads to the library, which starts none of its own.
void parallel_for(void* user, std::size_t count, void (*task)(void* context, std::size_t index), void* context) {
  static_cast<Threads*>(user)->run(count, [=](std::size_t index) { task(context, index); });
}

}  // namespace

CacheChoice::CacheChoice() {
  tq_layer_options defaults;
  tq_layer_options_init(&defaults, sizeof defaults);
  key_format = defaults.key_format;
  value_format = defaults.value_format;
  group_size = defaults.key_group_size;
  rotation_block = defaults.key_rotation_block;
  sink_tokens = defaults.sink_tokens;
  recent_blocks = defaults.recent_blocks;
  center_keys = defaults.center_keys != 0;
  scale_search = defaults.scale_search != 0;
  seed = defaults.seed;
}

CacheChoice CacheChoice::exact_16bit() {
  CacheChoice choice;
  choice.key_format = choice.value_format = TQ_FORMAT_F16;
  choice.sink_tokens = choice.recent_blocks = 0;
  return choice;
}

KvCache::KvCache(const CacheShape& shape, const CacheChoice& choice, Threads& threads)
    : shape_(shape), sinks_(choice.sink_tokens), no_tail_(choice.no_tail), threads_(threads) {
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  const Profile profile = choice.profile.empty() ? nullptr : load_profile(choice.profile, shape);
  const tq_layer_options layer = layer_options(shape, choice);
  if (profile != nullptr) {
    Call fill("tq_profile_cache_options");
    fill.check(tq_profile_cache_options(profile.get(), &options, fill.error()));
  } else {
    options.layer_count = static_cast<std::uint32_t>(shape.layers);
    options.layers = &layer;
    options.layers_given = 1;  // one description for every layer
  }

  tq_cache* cache = nullptr;
  Call create("tq_cache_create");
  create.check(tq_cache_create(&options, &cache, create.error()));
  cache_.reset(cache);
  clear();
}

void KvCache::clear() {
  if (sequence_ != 0) {
    Call destroy("tq_sequence_destroy");
    destroy.check(tq_sequence_destroy(cache_.get(), sequence_, destroy.error()));
    sequence_ = 0;
  }
  Call create("tq_sequence_create");
  create.check(tq_sequence_create(cache_.get(), &sequence_, create.error()));
}

std::size_t KvCache::length() const {
  std::size_t length = 0;
  Call call("tq_sequence_length");
  const auto last_layer = static_cast<std::uint32_t>(shape_.layers - 1);
  call.check(tq_sequence_length(cache_.get(), sequence_, last_layer, &length, call.error()));
  return length;
}

std::size_t KvCache::next_chunk(std::size_t chunk_tokens) const {
  return no_tail_ && length() == 0 ? sinks_ + chunk_tokens : chunk_tokens;
}

void KvCache::extend(std::size_t layer, const NewTokens& tokens, const float* queries, float* output) {
  if (no_tail_) append(layer, tokens);
  attend(layer, tokens, queries, output);
  if (!no_tail_) append(layer, tokens);
}

void KvCache::attend(std::size_t layer, const NewTokens& tokens, const float* queries, float* output) const {
  const tq_kv new_tokens = as_kv(tokens);

  tq_attend_options options;
  tq_attend_options_init(&options, sizeof options);
  options.layer = static_cast<std::uint32_t>(layer);
  options.q_heads = static_cast<std::uint32_t>(shape_.q_heads);
  options.parallel_for = parallel_for;
  options.parallel_user = &threads_;

  tq_attend_item item;  // a server would pass one item per sequence of its batch
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence_;
  item.n_query = tokens.count;
  item.query = queries;
  item.output = output;
  item.new_tokens = no_tail_ ? nullptr : &new_tokens;  // NULL: the queries belong to the newest tokens in the cache

  Call call("tq_attend");
  call.check(tq_attend(cache_.get(), &options, &item, 1, call.error()));
}

void KvCache::append(std::size_t layer, const NewTokens& tokens) {
  const tq_kv kv = as_kv(tokens);
  Call call("tq_cache_append");
  call.check(tq_cache_append(cache_.get(), sequence_, static_cast<std::uint32_t>(layer), &kv, call.error()));
}

tq_cache_statistics KvCache::statistics() const {
  tq_cache_statistics statistics;
  tq_cache_statistics_init(&statistics, sizeof statistics);
  Call call("tq_cache_stats");
  call.check(tq_cache_stats(cache_.get(), &statistics, call.error()));
  return statistics;
}

}  // namespace llama
