// Every allocation failing in turn: each refused call says so and changes nothing, and all memory comes back.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "handles.hpp"

namespace tq_test {
namespace {

// Knows every living block, and refuses one allocation.
class Ledger {
 public:
  static constexpr std::size_t kNever = SIZE_MAX;

  tq_allocator callbacks() { return {allocate, release, this}; }
  void fail_at(std::size_t allocation) { countdown_ = allocation; }
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  bool failed() const { return failed_; }
  std::size_t living() const { return blocks_.size(); }
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& [pointer, size] : blocks_) sum += size;
    return sum;
  }

 private:
  static void* allocate(void* user, std::size_t size, std::size_t alignment) {
    auto& self = *static_cast<Ledger*>(user);
    EXPECT_GT(size, 0u);
    EXPECT_TRUE(alignment != 0 && (alignment & (alignment - 1)) == 0 && alignment <= 64) << alignment;
    if (!self.paused_ && self.countdown_ != kNever && self.countdown_-- == 0) {
      self.countdown_ = kNever;
      self.failed_ = true;
      return nullptr;
    }
    // No more alignment than was asked for, and contents that would be noticed if they were read.
    auto* base = static_cast<std::uint8_t*>(std::malloc(size + 2 * alignment));
    const auto address = reinterpret_cast<std::uintptr_t>(base);
    std::uint8_t* pointer = base + (2 * alignment - address % (2 * alignment) + alignment) % (2 * alignment);
    std::fill(pointer, pointer + size, std::uint8_t{0xCD});
    self.blocks_[pointer] = size;
    self.bases_[pointer] = base;
    return pointer;
  }

  static void release(void* user, void* pointer, std::size_t size) {
    auto& self = *static_cast<Ledger*>(user);
    const auto found = self.blocks_.find(pointer);
    ASSERT_NE(found, self.blocks_.end()) << "released what was never allocated";
    EXPECT_EQ(found->second, size);
    std::free(self.bases_[pointer]);
    self.bases_.erase(pointer);
    self.blocks_.erase(found);
  }

  std::map<void*, std::size_t> blocks_;
  std::map<void*, void*> bases_;
  std::size_t countdown_ = kNever;
  bool failed_ = false, paused_ = false;
};

const Shape kShape{2, 40, 24};
constexpr std::size_t kSinks = 4;  // the default

// What a caller sees of the cache. Reading allocates, too, so the ledger looks away meanwhile.
class Scenario {
 public:
  explicit Scenario(std::size_t failing) : failing_(failing) { ledger_.fail_at(failing); }
  ~Scenario() {
    tq_cache_destroy(cache_);
    EXPECT_EQ(ledger_.living(), 0u) << "allocation " << failing_ << " failing: blocks leaked";
  }

  // False if the failing allocation was reached; everything has been checked by then.
  bool run() {
    create();
    if (cache_ == nullptr) return false;
    tq_sequence a = 0, b = 0, c = 0;
    try_call([&] { return tq_sequence_create(cache_, &a, &error_); });
    add(a);
    for (const std::size_t count : {2, 60, 10, 150}) append(a, 0, count);
    append(a, 1, 70);
    try_call([&] { return tq_sequence_fork(cache_, a, &b, &error_); });
    add(b);
    append(b, 0, 1);
    append(a, 0, 1);
    attend(a, false);
    attend(b, true);
    read(a);
    try_call([&] { return tq_sequence_truncate(cache_, b, 50, &error_); });
    append(b, 0, 100);
    try_call([&] { return tq_sequence_create(cache_, &c, &error_); });
    add(c);
    append(c, 1, 3);
    try_call([&] { return tq_sequence_truncate(cache_, c, 0, &error_); });
    cut_fork_of_whole_blocks(c);
    attend(b, false);
    destroy(a);
    attend(b, false);
    destroy(c);
    destroy(b);
    return !ledger_.failed();
  }

 private:
  void create() {
    std::vector<tq_layer_options> layers(2, layer_options(kShape));
    layers[1].key_format = TQ_FORMAT_TQ8;
    layers[1].recent_blocks = 1;
    tq_cache_options options;
    tq_cache_options_init(&options, sizeof options);
    options.layer_count = 2;
    options.layers = layers.data();
    options.allocator = ledger_.callbacks();
    const tq_status status = tq_cache_create(&options, &cache_, &error_);
    if (status == TQ_OK) return;
    EXPECT_EQ(status, TQ_ERR_OUT_OF_MEMORY);
    EXPECT_EQ(cache_, nullptr);
    EXPECT_EQ(ledger_.living(), 0u) << "a failed tq_cache_create kept memory";
  }

  // A fork that has no exact page after its codes gets one from the cut.
  void cut_fork_of_whole_blocks(tq_sequence from) {
    append(from, 0, kSinks + 2 * 64);
    tq_sequence fork = 0;
    try_call([&] { return tq_sequence_fork(cache_, from, &fork, &error_); });
    add(fork);
    try_call([&] { return tq_sequence_truncate(cache_, fork, kSinks + 90, &error_); });
    destroy(fork);
  }

  void add(tq_sequence sequence) { sequences_.push_back(sequence); }

  // All rows and all counts, and the bytes that the allocator really gave. Statistics count bytes of cache contents
  // only, so the ledger may know of more, but the difference must not grow.
  struct State {
    tq_cache_statistics stats;
    std::size_t ledger_bytes;
    std::vector<Tokens> rows;
  };
  State state() {
    ledger_.pause();
    State state{{}, ledger_.bytes(), {}};
    tq_cache_statistics_init(&state.stats, sizeof state.stats);
    EXPECT_EQ(tq_cache_stats(cache_, &state.stats, nullptr), TQ_OK);
    for (const tq_sequence sequence : sequences_)
      for (std::uint32_t layer = 0; layer < 2; ++layer) {
        std::size_t length = 0;
        EXPECT_EQ(tq_sequence_length(cache_, sequence, layer, &length, nullptr), TQ_OK);
        KvOutput output(kShape, length, TQ_F32);
        EXPECT_EQ(tq_cache_read(cache_, sequence, layer, 0, length, output.get(), nullptr), TQ_OK);
        state.rows.push_back(output.tokens());
      }
    ledger_.resume();
    return state;
  }

  // The call must pass, or refuse with TQ_ERR_OUT_OF_MEMORY, change nothing, and pass when memory is back.
  template <class Call>
  void try_call(Call call) {
    const State before = state();
    const tq_status status = call();
    if (status == TQ_OK) return;
    SCOPED_TRACE(testing::Message() << "allocation " << failing_ << " failing; message: " << error_.message);
    EXPECT_EQ(status, TQ_ERR_OUT_OF_MEMORY);
    EXPECT_TRUE(ledger_.failed());
    const State after = state();
    EXPECT_EQ(before.stats.tokens, after.stats.tokens);
    EXPECT_EQ(before.stats.coded_bytes, after.stats.coded_bytes);
    EXPECT_EQ(before.stats.exact_bytes, after.stats.exact_bytes);
    EXPECT_EQ(before.stats.sequences, after.stats.sequences);
    EXPECT_EQ(before.stats.bytes, after.stats.bytes);
    EXPECT_EQ(before.ledger_bytes, after.ledger_bytes);
    EXPECT_TRUE(before.rows == after.rows);
    EXPECT_EQ(call(), TQ_OK) << error_.message;
  }

  void append(tq_sequence sequence, std::uint32_t layer, std::size_t count) {
    const KvInput input(random_tokens(random_, kShape, count), TQ_F32);
    try_call([&] { return tq_cache_append(cache_, sequence, layer, input.get(), &error_); });
  }

  void attend(tq_sequence sequence, bool new_tokens) {
    tq_attend_options options;
    tq_attend_options_init(&options, sizeof options);
    options.q_heads = 4;
    const std::vector<float> query = gaussian(random_, 9 * 4 * 40);
    const KvInput input(random_tokens(random_, kShape, 9), TQ_F32);
    std::vector<float> output(9 * 4 * 24), again(9 * 4 * 24);
    tq_attend_item item;
    tq_attend_item_init(&item, sizeof item);
    item.sequence = sequence;
    item.n_query = 9;
    item.query = query.data();
    item.output = output.data();
    item.new_tokens = new_tokens ? input.get() : nullptr;
    try_call([&] { return tq_attend(cache_, &options, &item, 1, &error_); });
    item.output = again.data();
    ledger_.pause();
    EXPECT_EQ(tq_attend(cache_, &options, &item, 1, &error_), TQ_OK);
    ledger_.resume();
    EXPECT_EQ(output, again);
  }

  void read(tq_sequence sequence) {
    KvOutput output(kShape, 150, TQ_BF16);
    try_call([&] { return tq_cache_read(cache_, sequence, 0, 0, 150, output.get(), &error_); });
  }

  // Destroying must not need memory.
  void destroy(tq_sequence sequence) {
    EXPECT_EQ(tq_sequence_destroy(cache_, sequence, &error_), TQ_OK) << error_.message;
    std::erase(sequences_, sequence);
  }

  Ledger ledger_;
  std::size_t failing_;
  Random random_{1};
  Error error_;
  tq_cache* cache_ = nullptr;
  std::vector<tq_sequence> sequences_;
};

TEST(Allocation, FailuresOfTheCacheLeaveItAsItWas) {
  const std::size_t step = quick() ? 5 : 1;
  std::size_t failing = 0;
  while (!Scenario(failing).run()) {
    failing += step;
    ASSERT_LT(failing, 10000u);
  }
  EXPECT_GT(failing, 50u) << "too few allocations went through the callbacks";
}

TEST(Allocation, FailuresOfACodecLeaveNothingBehind) {
  const std::vector<float> vectors(3 * 80, 1.0f);
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16})
    for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS})
      for (std::size_t failing = 0; failing < 1000; ++failing) {
        SCOPED_TRACE(testing::Message() << "format " << format << ", layout " << layout << ", allocation " << failing);
        Ledger ledger;
        ledger.fail_at(failing);
        tq_codec_options options = codec_options(80, format, 64, layout);
        options.allocator = ledger.callbacks();
        tq_codec* codec = nullptr;
        std::vector<tq_status> statuses = {tq_codec_create(&options, &codec, nullptr)};
        if (codec != nullptr) {
          Bytes codes(tq_codec_encoded_bytes(codec, 3));
          std::vector<float> out(3 * 80);
          const auto call = [&](auto function) {
            statuses.push_back(function());
            EXPECT_TRUE(statuses.back() == TQ_OK || function() == TQ_OK);
          };
          call([&] { return tq_encode(codec, vectors.data(), TQ_F32, 0, 3, codes.data(), codes.size(), nullptr); });
          call([&] { return tq_decode(codec, codes.data(), codes.size(), 0, 3, out.data(), TQ_F16, 0, nullptr); });
          call([&] { return tq_scores(codec, codes.data(), codes.size(), 3, vectors.data(), 2, out.data(), nullptr); });
          call([&] { return tq_rotate(codec, out.data(), 3, nullptr); });
          call([&] { return tq_unrotate(codec, out.data(), 3, nullptr); });
        }
        tq_codec_destroy(codec);
        EXPECT_EQ(ledger.living(), 0u);
        for (const tq_status status : statuses) EXPECT_TRUE(status == TQ_OK || status == TQ_ERR_OUT_OF_MEMORY);
        EXPECT_EQ(ledger.failed(), statuses.back() != TQ_OK || std::count(statuses.begin(), statuses.end(), TQ_OK) <
                                                                   static_cast<std::ptrdiff_t>(statuses.size()));
        if (!ledger.failed()) break;
      }
}

}  // namespace
}  // namespace tq_test
