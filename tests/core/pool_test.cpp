// The thread pool: every task once, from one caller or several.
#include "threads/pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

namespace tq {
namespace {

struct Counters {
  explicit Counters(std::size_t count) : tasks(new std::atomic<int>[count]) {
    for (std::size_t i = 0; i < count; ++i) tasks[i] = 0;
  }
  std::unique_ptr<std::atomic<int>[]> tasks;
};

void count_task(void* context, std::size_t index) { static_cast<Counters*>(context)->tasks[index].fetch_add(1); }

TEST(Pool, RunsEveryTaskOnce) {
  for (const std::uint32_t threads : {1u, 2u, 5u}) {
    Pool pool(threads);
    for (const std::size_t count : {0u, 1u, 2u, 3u, 100u}) {
      for (int round = 0; round < 50; ++round) {
        Counters counters(count);
        pool.run(count, count_task, &counters);
        for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(counters.tasks[i], 1) << threads << " threads, task " << i;
      }
    }
  }
}

TEST(Pool, ServesSeveralCallersAtOnce) {
  Pool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        Counters counters(17);
        pool.run(17, count_task, &counters);
        for (std::size_t i = 0; i < 17; ++i) wrong += counters.tasks[i] != 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tq
