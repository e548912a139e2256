// Pages in slabs: none overlap, the bytes are counted, and what is given back is used again or freed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "cache/account.hpp"

namespace tq {
namespace {

constexpr std::size_t kPage = 69 << 10;

struct Taken {
  void* memory;
  Slabs::Slab* slab;
  std::uint8_t mark;
};

class Pages {
 public:
  explicit Pages(Account& account) : account_(account) {}
  ~Pages() {
    while (!taken_.empty()) release(taken_.size() - 1);
  }

  // False if the account refused.
  bool take() {
    Taken page{nullptr, nullptr, static_cast<std::uint8_t>(taken_.size() * 37 + 11)};
    try {
      page.memory = account_.allocate_page(kPage, page.slab);
    } catch (const Error&) {
      return false;
    }
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(page.memory) % kAlignment, 0u);
    std::memset(page.memory, page.mark, kPage);
    in_slabs_ += page.slab != nullptr ? 1 : 0;
    taken_.push_back(page);
    return true;
  }
  void release(std::size_t i) {
    const Taken page = taken_[i];
    const auto* bytes = static_cast<const std::uint8_t*>(page.memory);
    for (std::size_t at = 0; at < kPage; at += 509) ASSERT_EQ(bytes[at], page.mark) << "another page wrote here";
    ASSERT_EQ(bytes[kPage - 1], page.mark) << "another page wrote here";
    in_slabs_ -= page.slab != nullptr ? 1 : 0;
    account_.release_page(page.memory, kPage, page.slab);
    taken_[i] = taken_.back();
    taken_.pop_back();
  }

  std::size_t count() const { return taken_.size(); }
  std::size_t in_slabs() const { return in_slabs_; }

 private:
  Account& account_;
  std::vector<Taken> taken_;
  std::size_t in_slabs_ = 0;
};

TEST(Slabs, ShortCachesHaveNone) {
  Account account(Allocator{}, 0);
  Pages pages(account);
  while ((pages.count() + 1) * kPage <= Slabs::kShort) pages.take();
  EXPECT_EQ(pages.in_slabs(), 0u);
  EXPECT_EQ(account.bytes(), pages.count() * kPage);
}

TEST(Slabs, PagesDoNotOverlapAndAllBytesComeBack) {
  Account account(Allocator{}, 0);
  {
    Pages pages(account);
    std::mt19937 random(1);
    for (int phase = 0; phase < 4; ++phase) {
      const std::size_t wanted = phase % 2 == 0 ? 700 : 150;  // 48 MB, 10 MB
      while (pages.count() != wanted) {
        const bool grows = (random() % 4 != 0) == (pages.count() < wanted);
        if (grows) pages.take();
        if (!grows && pages.count() > 0) pages.release(random() % pages.count());
      }
      EXPECT_GE(account.bytes(), pages.count() * kPage);
      EXPECT_LE(account.bytes(), pages.count() * kPage * 102 / 100 + Slabs::kHugePage);
      if (phase == 0) {
        EXPECT_GT(pages.in_slabs(), 300u);
      }
    }
  }
  EXPECT_EQ(account.bytes(), 0u);
}

TEST(Slabs, StayWithinTheBudgetAndUseItUp) {
  constexpr std::uint64_t kBudget = 20 << 20;
  Account account(Allocator{}, kBudget);
  Pages pages(account);
  while (pages.take()) {
  }
  EXPECT_GT(pages.in_slabs(), 0u);
  EXPECT_LE(account.peak(), kBudget);
  EXPECT_GE(pages.count(), kBudget / kPage - 2);  // what is left over in a slab is little
  pages.release(3);
  EXPECT_TRUE(pages.take());
}

// Pages of which a slab holds few leave much of it over.
TEST(Slabs, CostLittleBesideThePagesInUse) {
  for (const std::size_t page : {kPage, std::size_t{(256 << 10) + 64}, std::size_t{(520 << 10) + 64}}) {
    Account account(Allocator{}, 0);
    std::vector<Taken> taken;
    for (std::size_t i = 1; i <= 80; ++i) {
      Taken one{nullptr, nullptr, 0};
      one.memory = account.allocate_page(page, one.slab);
      taken.push_back(one);
      EXPECT_LE(account.bytes(), i * (page + 64) * 104 / 100) << page << " x " << i;
    }
    for (const Taken& one : taken) account.release_page(one.memory, page, one.slab);
    EXPECT_EQ(account.bytes(), 0u);
  }
}

TEST(Slabs, OfWhichTheBudgetAllowsNoSlotAreGivenBack) {
  Slabs slabs;
  const std::uint64_t left_over = slabs.size_for(kPage)->left_over();
  const std::uint64_t pages = std::max<std::uint64_t>(Slabs::kShort, 32 * left_over) / kPage + 1;
  Account account(Allocator{}, pages * kPage + left_over + kPage / 2);
  Pages taken(account);
  while (taken.count() < pages) ASSERT_TRUE(taken.take());
  EXPECT_EQ(taken.in_slabs(), 0u);
  EXPECT_FALSE(taken.take());
  EXPECT_EQ(account.bytes(), pages * kPage);
  taken.release(0);
  EXPECT_TRUE(taken.take());
}

TEST(Slabs, AreNotForAllocatorsOfTheCaller) {
  std::size_t calls = 0;
  const auto allocate = [](void* user, std::size_t size, std::size_t alignment) -> void* {
    ++*static_cast<std::size_t*>(user);
    return std::aligned_alloc(alignment, size);
  };
  Account account(Allocator(
                      allocate, [](void*, void* pointer, std::size_t) { std::free(pointer); }, &calls),
                  0);
  Pages pages(account);
  while (pages.count() < 300) pages.take();
  EXPECT_EQ(calls, 300u);
  EXPECT_EQ(pages.in_slabs(), 0u);
}

TEST(Slabs, HaveFewSizesAndLeaveLittleOver) {
  Slabs slabs;
  for (const std::size_t page :
       {std::size_t{1000}, kPage, std::size_t{140000}, std::size_t{275000}, std::size_t{550000}}) {
    const Slabs::Size* size = slabs.size_for(page);
    ASSERT_NE(size, nullptr) << page;
    EXPECT_EQ(slabs.size_for(page), size);
    EXPECT_GE(size->slot, page);
    EXPECT_GE(size->slots, Slabs::kLeastSlots);
    EXPECT_GE(size->left_over(), sizeof(Slabs::Slab));
    EXPECT_LE(size->left_over(), size->slab / 40) << page;
  }
  EXPECT_EQ(slabs.size_for(std::size_t{1} << 30), nullptr) << "larger than any slab";
  for (std::size_t i = 0; i < Slabs::kSizes; ++i) slabs.size_for(2000 + 64 * i);
  EXPECT_EQ(slabs.size_for(1 << 15), nullptr) << "one size too many";
}

}  // namespace
}  // namespace tq
