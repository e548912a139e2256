// The thread contract of turboquant.h. To be run under ThreadSanitizer as well, where these tests say most.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "attention_call.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 64, 64};
constexpr std::size_t kThreads = 4;

// Runs body(0) .. body(count - 1) on threads that start together.
void on_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> waiting{count};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting.load() != 0) std::this_thread::yield();
      body(i);
    });
  for (std::thread& thread : threads) thread.join();
}

AttendItem attend_once(const Cache& cache, tq_sequence sequence, Random& random, tq_pool* pool = nullptr) {
  CallStyle style;
  style.settings.q_heads = 4;
  style.pool = pool;
  style.new_tokens = true;
  std::vector<AttendItem> items;
  items.emplace_back(random, kShape, style, sequence, 2);
  attend(cache, style, items);
  return std::move(items[0]);
}

TEST(Threads, WorkOnTheirOwnSequencesAtTheSameTime) {
  const tq_layer_options options = layer_options(kShape);
  const Cache cache(options);
  empty_bytes(cache, 2 * kThreads);
  const std::uint64_t bytes_before = cache.stats().bytes;
  on_threads(kThreads, [&](std::size_t thread) {
    Random random(thread);
    tq_sequence sequence = cache.sequence();
    SequenceModel model(options);
    for (std::size_t round = 0; round < repetitions(40); ++round) {
      const Tokens tokens = random_tokens(random, kShape, uniform(random, 1, 40));
      cache.append(sequence, tokens);
      model.append(tokens, TQ_F32);
      if (round % 8 == 3) {
        EXPECT_TRUE(attend_once(cache, sequence, random).agrees(model.context(cache, sequence)));
      }
      if (round % 8 == 5) {
        const tq_sequence fork = cache.fork(sequence);
        cache.destroy(sequence);
        sequence = fork;
      }
      if (round % 8 == 7) {
        const Tokens decoded = cache.read(sequence);
        const std::size_t length = uniform(random, 0, model.length());
        cache.truncate(sequence, length);
        model.truncate(length, decoded);
      }
    }
    EXPECT_TRUE(model.matches(cache, sequence));
    cache.destroy(sequence);
  });
  EXPECT_EQ(cache.stats().sequences, 0u);
  EXPECT_EQ(cache.stats().tokens, 0u);
  EXPECT_EQ(cache.stats().bytes, bytes_before);
}

TEST(Threads, ReadOneSequenceThatNobodyWrites) {
  const tq_layer_options options = layer_options(kShape);
  const Cache cache(options);
  const tq_sequence sequence = cache.sequence();
  SequenceModel model(options);
  Random random(1);
  const Tokens tokens = random_tokens(random, kShape, 200);
  cache.append(sequence, tokens);
  model.append(tokens, TQ_F32);
  const Tokens expected = cache.read(sequence);
  on_threads(kThreads, [&](std::size_t thread) {
    Random own(thread);
    for (std::size_t round = 0; round < repetitions(30); ++round) {
      EXPECT_TRUE(cache.read(sequence) == expected);
      EXPECT_EQ(cache.length(sequence), 200u);
      const AttendItem item = attend_once(cache, sequence, own);
      EXPECT_TRUE(round % 10 != 0 || item.agrees(model.context(cache, sequence)));
      cache.destroy(cache.fork(sequence));
    }
  });
}

// All forks share the blocks and the tail of one origin; every thread writes to forks of its own.
TEST(Threads, WriteToForksOfOneSequence) {
  const tq_layer_options options = layer_options(kShape);
  const Cache cache(options);
  Random random(1);
  for (const std::size_t length : {3, 40, 110}) {
    const tq_sequence origin = cache.sequence();
    const Tokens common = random_tokens(random, kShape, length);
    cache.append(origin, common);
    on_threads(kThreads, [&](std::size_t thread) {
      Random own(thread);
      for (std::size_t round = 0; round < repetitions(24); ++round) {
        const tq_sequence fork = cache.fork(origin);
        SequenceModel model(options);
        model.append(common, TQ_F32);
        const Tokens more = random_tokens(own, kShape, uniform(own, 1, 80));
        cache.append(fork, more);
        model.append(more, TQ_F32);
        EXPECT_TRUE(model.matches(cache, fork));
        cache.destroy(fork);
      }
    });
    cache.destroy(origin);
  }
  EXPECT_EQ(cache.stats().tokens, 0u);
}

TEST(Threads, MayAskForStatisticsAtAnyTime) {
  const Cache cache(layer_options(kShape));
  std::atomic<bool> done{false};
  on_threads(3, [&](std::size_t thread) {
    if (thread == 0) {
      while (!done.load()) EXPECT_GE(cache.stats().peak_bytes, 0u);
      return;
    }
    Random random(thread);
    for (std::size_t round = 0; round < repetitions(40); ++round) {
      const tq_sequence sequence = cache.sequence();
      cache.append(sequence, random_tokens(random, kShape, 100));
      cache.destroy(sequence);
    }
    done.store(true);
  });
}

TEST(Threads, ShareAPool) {
  const tq_layer_options options = layer_options(kShape);
  const Cache cache(options);
  const Pool pool(3);
  const tq_sequence sequence = cache.sequence();
  SequenceModel model(options);
  Random random(1);
  const Tokens tokens = random_tokens(random, kShape, 150);
  cache.append(sequence, tokens);
  model.append(tokens, TQ_F32);
  const reference::Context context = model.context(cache, sequence);
  on_threads(kThreads, [&](std::size_t thread) {
    Random own(thread);
    for (std::size_t round = 0; round < repetitions(40); ++round) {
      const AttendItem item = attend_once(cache, sequence, own, pool);
      EXPECT_TRUE(round % 8 != 0 || item.agrees(context));
    }
  });
}

TEST(Threads, ShareACodec) {
  const Codec codec(codec_options(128));
  Random random(1);
  const std::vector<float> vectors = gaussian(random, 50 * 128);
  const Bytes codes = codec.encode(vectors);
  const std::vector<float> decoded = codec.decode(codes, 0, 50);
  on_threads(kThreads, [&](std::size_t) {
    for (std::size_t round = 0; round < repetitions(40); ++round) {
      EXPECT_EQ(codec.encode(vectors), codes);
      EXPECT_EQ(codec.decode(codes, 0, 50), decoded);
    }
  });
}

// A token whose every element is `value`, exact in f16 up to 2048.
Tokens marked_tokens(std::size_t count, std::size_t value) {
  const auto mark = static_cast<float>(value);
  return {kShape, std::vector<float>(count * kShape.key_row(), mark),
          std::vector<float>(count * kShape.value_row(), mark)};
}

TEST(Threads, TwoWritersOfOneSequenceTakeTurnsOrAreRefused) {
  constexpr std::size_t kCount = 5;
  tq_layer_options options = layer_options(kShape);
  options.key_format = options.value_format = TQ_FORMAT_F16;
  const Cache cache(options);
  const tq_sequence sequence = cache.sequence();
  std::atomic<std::size_t> appended{0}, busy{0};
  on_threads(kThreads, [&](std::size_t thread) {
    for (std::size_t round = 0; round < repetitions(200); ++round) {
      const KvInput input(marked_tokens(kCount, thread * 256 + round % 256), TQ_F32);
      const tq_status status = tq_cache_append(cache, sequence, 0, input.get(), nullptr);
      EXPECT_TRUE(status == TQ_OK || status == TQ_ERR_BUSY) << tq_status_name(status);
      ++(status == TQ_OK ? appended : busy);
    }
  });
  EXPECT_EQ(appended + busy, kThreads * repetitions(200));
  ASSERT_EQ(cache.length(sequence), appended * kCount);
  const Tokens all = cache.read(sequence);
  for (std::size_t call = 0; call < appended; ++call) {
    const float mark = all.keys[call * kCount * kShape.key_row()];
    const Tokens expected = marked_tokens(kCount, static_cast<std::size_t>(mark));
    ASSERT_TRUE(all.slice(call * kCount, kCount) == expected) << "call " << call << " is torn";
  }
}

// The sequence may vanish between the look-up and the write of another thread; that thread must be told, not crash.
TEST(Threads, ASequenceMayBeDestroyedWhileOthersTryToWriteIt) {
  const Cache cache(layer_options(kShape));
  for (std::size_t round = 0; round < repetitions(200); ++round) {
    const tq_sequence sequence = cache.sequence();
    std::atomic<int> destroyed{0};
    on_threads(3, [&](std::size_t thread) {
      const KvInput input(marked_tokens(3, thread), TQ_F32);
      // The destroyer insists; the writers give up after a while, or when they hear that the sequence is gone.
      for (int call = 0; thread == 0 || call < 50; ++call) {
        tq_status status = TQ_OK;
        if (thread == 0) status = tq_sequence_destroy(cache, sequence, nullptr);
        if (thread == 1) status = tq_cache_append(cache, sequence, 0, input.get(), nullptr);
        if (thread == 2) status = tq_sequence_truncate(cache, sequence, 0, nullptr);
        if (thread == 0 && status == TQ_OK) ++destroyed;
        if (status == TQ_ERR_NOT_FOUND || (thread == 0 && status == TQ_OK)) return;
        EXPECT_TRUE(status == TQ_OK || status == TQ_ERR_BUSY) << tq_status_name(status);
      }
    });
    EXPECT_EQ(destroyed, 1);
  }
  EXPECT_EQ(cache.stats().sequences, 0u);
  EXPECT_EQ(cache.stats().tokens, 0u);
}

}  // namespace
}  // namespace tq_test
