// Random histories of a cache against the model: whatever order calls come in, every sequence holds its own tokens.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "handles.hpp"
#include "model.hpp"

namespace tq_test {
namespace {

constexpr std::size_t kMostSequences = 8;

struct Live {
  tq_sequence sequence;
  std::vector<SequenceModel> layers;
};

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), layers_(random_layers(random_)), cache_(layers_) {}

  void step() {
    switch (uniform(random_, 0, 9)) {
      case 0: return create();
      case 1: return fork();
      case 2: return truncate();
      case 3: return destroy();
      default: return append();
    }
  }

  void check() {
    for (const Live& live : live_)
      for (std::uint32_t l = 0; l < layers_.size(); ++l)
        ASSERT_TRUE(live.layers[l].matches(cache_, live.sequence, l)) << log_ << " layer " << l;
    const tq_cache_statistics stats = cache_.stats();
    EXPECT_EQ(stats.sequences, live_.size()) << log_;
    EXPECT_EQ(stats.bytes,
              stats.code_bytes + stats.scale_bytes + stats.mean_bytes + stats.exact_bytes + stats.overhead_bytes)
        << log_;
    EXPECT_GE(stats.peak_bytes, stats.bytes) << log_;
    std::uint64_t tokens = 0;
    for (const Live& live : live_)
      for (const SequenceModel& layer : live.layers) tokens += layer.length();
    if (truncated_) return;  // rows cut from a shared page may still count, see cache_fork_test.cpp
    EXPECT_LE(stats.tokens, tokens) << log_;
    EXPECT_TRUE(live_.size() > 1 || stats.tokens == tokens) << "nothing is shared, " << stats.tokens << log_;
  }

  void finish() {
    while (!live_.empty()) destroy();
    EXPECT_EQ(cache_.stats().bytes, empty_bytes_) << log_;
    EXPECT_EQ(cache_.stats().tokens, 0u) << log_;
  }

 private:
  static std::vector<tq_layer_options> random_layers(Random& random) {
    constexpr std::uint32_t kSinks[] = {0, 4, 64};
    constexpr tq_format kFormats[] = {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16};
    std::vector<tq_layer_options> layers(uniform(random, 1, 3));
    for (tq_layer_options& layer : layers) {
      layer = layer_options({static_cast<std::uint32_t>(uniform(random, 1, 3)), 64, 96});
      layer.key_format = kFormats[uniform(random, 0, 2)];
      layer.value_format = kFormats[uniform(random, 0, 2)];
      layer.sink_tokens = kSinks[uniform(random, 0, 2)];
      layer.recent_blocks = static_cast<std::uint32_t>(uniform(random, 0, 2));
      layer.center_keys = static_cast<std::uint32_t>(uniform(random, 0, 1));
    }
    return layers;
  }

  Live& any() { return live_[uniform(random_, 0, live_.size() - 1)]; }

  void create() {
    if (live_.size() >= kMostSequences) return destroy();
    log_ += " create";
    live_.push_back({cache_.sequence(), {layers_.begin(), layers_.end()}});
  }

  void append() {
    if (live_.empty()) return create();
    Live& live = any();
    const auto layer = static_cast<std::uint32_t>(uniform(random_, 0, layers_.size() - 1));
    const std::size_t count = uniform(random_, 0, 3) == 0 ? uniform(random_, 1, 150) : uniform(random_, 1, 4);
    log_ +=
        " append(" + std::to_string(live.sequence) + ',' + std::to_string(layer) + ',' + std::to_string(count) + ')';
    const Tokens tokens = random_tokens(random_, cache_.shape(layer), count);
    cache_.append(live.sequence, tokens, TQ_F32, layer);
    live.layers[layer].append(tokens, TQ_F32);
  }

  void fork() {
    if (live_.empty()) return create();
    if (live_.size() >= kMostSequences) return destroy();
    const Live& origin = any();
    log_ += " fork(" + std::to_string(origin.sequence) + ')';
    const Live copy{cache_.fork(origin.sequence), origin.layers};
    live_.push_back(copy);
  }

  void truncate() {
    if (live_.empty()) return create();
    truncated_ = true;
    Live& live = any();
    std::size_t longest = 0;
    for (const SequenceModel& model : live.layers) longest = std::max(longest, model.length());
    const std::size_t length = uniform(random_, 0, longest);
    log_ += " truncate(" + std::to_string(live.sequence) + ',' + std::to_string(length) + ')';
    std::vector<Tokens> decoded;
    for (std::uint32_t l = 0; l < layers_.size(); ++l) decoded.push_back(cache_.read(live.sequence, l));
    cache_.truncate(live.sequence, length);
    for (std::uint32_t l = 0; l < layers_.size(); ++l) live.layers[l].truncate(length, decoded[l]);
  }

  void destroy() {
    if (live_.empty()) return;
    const std::size_t which = uniform(random_, 0, live_.size() - 1);
    log_ += " destroy(" + std::to_string(live_[which].sequence) + ')';
    cache_.destroy(live_[which].sequence);
    live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  Random random_;
  std::vector<tq_layer_options> layers_;
  Cache cache_;
  std::uint64_t empty_bytes_ = empty_bytes(cache_, kMostSequences);
  std::vector<Live> live_;
  bool truncated_ = false;
  std::string log_;
};

TEST(CacheHistory, OfRandomCallsAgreesWithTheModel) {
  for (std::uint64_t seed = 1; seed <= repetitions(24); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    History history(seed);
    for (int step = 0; step < 60 && !HasFatalFailure() && !HasNonfatalFailure(); ++step) {
      history.step();
      if (step % 4 == 3) history.check();
    }
    history.check();
    history.finish();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tq_test
