// How much stack calls need: threads of some systems and languages have little.
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "attention_call.hpp"

namespace tq_test {
namespace {

constexpr std::size_t kPromised = 64 << 10;  // turboquant.h; what a new thread and this file need comes on top
constexpr std::size_t kOwn = 8 << 10;

// The bytes of stack that a new thread writes to while it runs `body`.
std::size_t stack_used(const std::function<void()>& body) {
  constexpr std::size_t size = 2 << 20;
  constexpr std::uint8_t untouched = 0xA5;
  auto* stack = static_cast<std::uint8_t*>(std::aligned_alloc(4096, size));
  std::fill(stack, stack + size, untouched);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, size);
  pthread_t thread;
  const auto run = [](void* call) -> void* {
    (*static_cast<const std::function<void()>*>(call))();
    return nullptr;
  };
  EXPECT_EQ(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&body)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  const auto used = static_cast<std::size_t>(
      stack + size - std::find_if(stack, stack + size, [](std::uint8_t byte) { return byte != untouched; }));
  std::free(stack);
  return used;
}

class Stack : public testing::Test {
 protected:
  void SetUp() override {
    if (quick()) GTEST_SKIP() << "instrumented code needs more";
  }

  // Appending, reading and attention with few and many queries.
  static void expect_little(const tq_layer_options& options, std::size_t count) {
    Random random(5);
    const Cache cache(options);
    const Shape shape = cache.shape();
    const tq_sequence sequence = cache.sequence();
    const Tokens tokens = random_tokens(random, shape, count);
    const auto expect = [&](const char* call, const std::function<void()>& body) {
      EXPECT_LE(stack_used(body), kPromised + kOwn) << call << ", head_dim " << shape.key_dim;
    };
    expect("append", [&] { cache.append(sequence, tokens); });
    expect("read", [&] { cache.read(sequence, 3, 100); });
    for (const std::size_t queries : {1, 3, 40}) {
      CallStyle style;
      style.settings.q_heads = 4 * shape.kv_heads;
      style.new_tokens = queries == 3;
      const AttendItem memory(random, shape, style, sequence, queries);
      const tq_attend_options call = attend_options(style.settings);
      const tq_attend_item item = memory.item();
      expect("attend", [&] {
        Error error;
        EXPECT_TQ_OK(tq_attend(cache, &call, &item, 1, &error), error);
      });
    }
  }
};

TEST_F(Stack, IsLittleForEveryHeadSize) {
  expect_little(layer_options({8, 64, 64}), 64 * 70);  // enough for heads to go together
  for (const std::uint32_t dim : {80, 128, 256, 1024}) expect_little(layer_options({2, dim, dim}), 200);
}

TEST_F(Stack, IsLittleForEveryPairOfFormats) {
  const tq_format formats[] = {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16};
  for (const tq_format keys : formats)
    for (const tq_format values : formats) {
      tq_layer_options options = layer_options({2, 128, 128});
      options.key_format = keys, options.value_format = values;
      expect_little(options, 200);
    }
}

TEST_F(Stack, IsLittleForCodecs) {
  Random random(6);
  for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS}) {
    const Codec codec(codec_options(1024, TQ_FORMAT_TQ4, 32, layout));
    const std::vector<float> vectors = gaussian(random, 100 * 1024);
    Bytes codes;
    EXPECT_LE(stack_used([&] { codes = codec.encode(vectors); }), kPromised + kOwn) << layout;
    EXPECT_LE(stack_used([&] { codec.decode(codes, 3, 90); }), kPromised + kOwn) << layout;
  }
}

}  // namespace
}  // namespace tq_test
