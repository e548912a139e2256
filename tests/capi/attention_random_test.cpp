// Random calls of tq_attend against dense attention over the rows that tq_cache_read returns, that is on the same
// codes: what is left is the rounding of queries and weights, and reference.cpp derives how large it may be.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "attention_call.hpp"

namespace tq_test {
namespace {

constexpr std::uint32_t kDims[] = {64, 80, 96, 128, 192, 256, 1, 33, 40};
constexpr tq_format kFormats[] = {TQ_FORMAT_TQ4, TQ_FORMAT_TQ4, TQ_FORMAT_TQ4,
                                  TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16};
constexpr tq_dtype kTypes[] = {TQ_F32, TQ_F16, TQ_BF16};

template <class T, std::size_t N>
T any_of(Random& random, const T (&choices)[N]) {
  return choices[uniform(random, 0, N - 1)];
}

bool coin(Random& random) { return uniform(random, 0, 1) == 1; }

class RandomCall {
 public:
  explicit RandomCall(std::uint64_t seed) : random_(seed), layer_(any_layer()), cache_(layer_), all_rows_(unlimited()) {
    choose_style();
    for (std::size_t n = uniform(random_, 1, 3); n > 0; --n) add_sequence();
  }

  void check() {
    std::vector<AttendItem> items;
    for (const Entry& entry : entries_)
      items.emplace_back(random_, cache_.shape(), style_, entry.sequence, any_n_query(entry), sigma_);
    attend(cache_, style_, items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Entry& entry = entries_[i];
      EXPECT_TRUE(items[i].agrees(entry.model.context(all_rows_, entry.twin)))
          << description() << "; item " << i << ": " << entry.model.length() << " tokens, "
          << items[i].log_sum_exp().size() / style_.settings.q_heads << " queries";
    }
  }

 private:
  struct Entry {
    tq_sequence sequence, twin;
    SequenceModel model;
    std::size_t last_append;
  };

  tq_layer_options any_layer() {
    tq_layer_options layer = layer_options(
        {static_cast<std::uint32_t>(uniform(random_, 1, 3)), any_of(random_, kDims), any_of(random_, kDims)});
    if (coin(random_)) layer.value_dim = layer.key_dim;
    layer.key_format = any_of(random_, kFormats);
    layer.value_format = any_of(random_, kFormats);
    layer.key_group_size = coin(random_) ? 64 : 32;
    layer.value_group_size = coin(random_) ? 64 : 32;
    if (uniform(random_, 0, 3) == 0) layer.key_rotation_block = layer.value_rotation_block = 1;
    layer.center_keys = static_cast<std::uint32_t>(uniform(random_, 0, 2) != 0);
    layer.sink_tokens = static_cast<std::uint32_t>(coin(random_) ? 4 : uniform(random_, 0, 64));
    layer.recent_blocks = static_cast<std::uint32_t>(uniform(random_, 0, 3) == 0);
    layer.window = static_cast<std::uint32_t>(uniform(random_, 0, 3) == 0 ? uniform(random_, 1, 150) : 0);
    layer.seed = uniform(random_, 0, SIZE_MAX);
    return layer;
  }

  // The same cache without a window keeps every row to compare with.
  tq_layer_options unlimited() const {
    tq_layer_options layer = layer_;
    layer.window = 0;
    return layer;
  }

  void choose_style() {
    reference::Settings& settings = style_.settings;
    settings.q_heads = layer_.kv_heads * static_cast<std::uint32_t>(uniform(random_, 1, 16));
    settings.causal = uniform(random_, 0, 2) != 0;
    if (uniform(random_, 0, 2) == 0) settings.scale = 0.5f / static_cast<float>(uniform(random_, 1, 12));
    if (uniform(random_, 0, 2) == 0) settings.softcap = static_cast<float>(uniform(random_, 2, 30));
    if (uniform(random_, 0, 2) == 0) settings.sink_logits = gaussian(random_, settings.q_heads, 3.0f);
    style_.new_tokens = coin(random_);
    style_.query_dtype = any_of(random_, kTypes);
    style_.output_dtype = any_of(random_, kTypes);
    style_.kv_dtype = any_of(random_, kTypes);
    style_.strided = coin(random_);
    style_.new_layout = static_cast<Layout>(uniform(random_, 0, 3));
    style_.log_sum_exp = uniform(random_, 0, 3) != 0;
    const std::size_t threads = uniform(random_, 0, 5);
    if (threads == 2 || threads == 4) pool_ = std::make_unique<Pool>(static_cast<std::uint32_t>(threads));
    style_.pool = pool_ ? static_cast<tq_pool*>(*pool_) : nullptr;
    if (threads == 3) style_.parallel_for = run_on_threads;
    if (threads == 5) style_.parallel_for = run_backwards;
    constexpr float kSigmas[] = {0.3f, 1.0f, 3.0f};
    sigma_ = any_of(random_, kSigmas);
  }

  void add_sequence() {
    Entry entry{cache_.sequence(), all_rows_.sequence(), SequenceModel(layer_), 0};
    const std::size_t length = coin(random_) ? uniform(random_, 0, 80) : uniform(random_, 0, 330);
    const Tokens tokens =
        coin(random_) ? biased_tokens(random_, cache_.shape(), length) : random_tokens(random_, cache_.shape(), length);
    entry.last_append = uniform(random_, 0, length);
    append(entry, tokens.slice(0, length - entry.last_append));
    append(entry, tokens.slice(length - entry.last_append, entry.last_append));
    entries_.push_back(std::move(entry));
  }

  void append(Entry& entry, const Tokens& tokens) {
    cache_.append(entry.sequence, tokens, style_.kv_dtype);
    all_rows_.append(entry.twin, tokens, style_.kv_dtype);
    entry.model.append(tokens, style_.kv_dtype);
  }

  // A window may have released what queries before the last append would see.
  std::size_t any_n_query(const Entry& entry) {
    const std::size_t most = std::max<std::size_t>(1, std::min<std::size_t>(70, 160 / style_.settings.q_heads));
    const std::size_t wanted = coin(random_) ? 1 : uniform(random_, 1, most);
    if (style_.new_tokens) return wanted;
    return std::min(wanted, layer_.window != 0 ? entry.last_append : entry.model.length());
  }

  std::string description() const {
    const auto number = [](auto value) { return ' ' + std::to_string(value); };
    return "kv_heads" + number(layer_.kv_heads) + ", dims" + number(layer_.key_dim) + number(layer_.value_dim) +
           ", formats" + number(layer_.key_format) + number(layer_.value_format) + ", centred" +
           number(layer_.center_keys) + ", sinks" + number(layer_.sink_tokens) + ", recent" +
           number(layer_.recent_blocks) + ", window" + number(layer_.window) + ", q_heads" +
           number(style_.settings.q_heads) + ", causal" + number(style_.settings.causal) + ", new_tokens" +
           number(style_.new_tokens) + ", softcap" + number(style_.settings.softcap) + ", sigma" + number(sigma_) +
           ", output " + dtype_name(style_.output_dtype);
  }

  Random random_;
  tq_layer_options layer_;
  Cache cache_, all_rows_;
  CallStyle style_;
  std::unique_ptr<Pool> pool_;
  float sigma_ = 1.0f;
  std::vector<Entry> entries_;
};

TEST(Attention, OfRandomCallsAgreesWithDenseAttention) {
  for (std::uint64_t seed = 1; seed <= repetitions(150); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomCall(seed).check();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tq_test
