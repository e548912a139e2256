// Slabs used by several threads at once: for ThreadSanitizer, and for lost or doubled pages.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "cache/account.hpp"

namespace tq {
namespace {

constexpr std::size_t kPage = 150 << 10;

struct Taken {
  std::uint8_t* memory;
  Slabs::Slab* slab;
};

void take_and_release(Account& account, std::uint8_t mark, int& mistakes) {
  std::mt19937 random(mark);
  std::vector<Taken> taken;
  const auto release_last = [&] {
    const Taken page = taken.back();
    taken.pop_back();
    if (page.memory[0] != mark || page.memory[kPage - 1] != mark) ++mistakes;
    account.release_page(page.memory, kPage, page.slab);
  };
  for (int i = 0; i < 400; ++i) {
    if (random() % 8 < 5) {
      Taken page{nullptr, nullptr};
      page.memory = static_cast<std::uint8_t*>(account.allocate_page(kPage, page.slab));
      page.memory[0] = page.memory[kPage - 1] = mark;
      taken.push_back(page);
    } else if (!taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      release_last();
    }
  }
  while (!taken.empty()) release_last();
}

TEST(SlabsOfManyThreads, LoseNothing) {
  constexpr int kThreads = 4;
  Account account(Allocator{}, 0);
  int mistakes[kThreads] = {};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back(
        [&account, &mistakes, i] { take_and_release(account, static_cast<std::uint8_t>(i + 1), mistakes[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : mistakes) EXPECT_EQ(count, 0);
  EXPECT_GT(account.peak(), std::uint64_t{Slabs::kShort}) << "no slab was ever needed";
  EXPECT_EQ(account.bytes(), 0u);
}

}  // namespace
}  // namespace tq
