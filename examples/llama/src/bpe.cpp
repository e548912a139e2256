#include "bpe.hpp"

#include <queue>
#include <tuple>

namespace llama {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::uint64_t key(TokenId left, TokenId right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

struct Symbol {
  TokenId id;
  std::size_t previous, next;  // neighbours that are still alive, or kNone
  bool alive;
};

// A pair that could be merged when it was found; it may have changed since.
struct Candidate {
  std::uint32_t rank;
  std::size_t left, right;
  TokenId left_id, right_id, result;

  bool operator>(const Candidate& other) const { return std::tie(rank, left) > std::tie(other.rank, other.left); }
};

}  // namespace

void MergeTable::add(TokenId left, TokenId right, TokenId result) {
  merges_[key(left, right)] = {next_rank_++, result};
}

const MergeTable::Merge* MergeTable::find(TokenId left, TokenId right) const {
  const auto found = merges_.find(key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void MergeTable::apply(std::vector<TokenId>& word) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (std::size_t i = 0; i < word.size(); ++i)
    symbols.push_back({word[i], i == 0 ? kNone : i - 1, i + 1 == word.size() ? kNone : i + 1, true});

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto consider = [&](std::size_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const std::size_t right = symbols[left].next;
    if (const Merge* merge = find(symbols[left].id, symbols[right].id))
      queue.push({merge->rank, left, right, symbols[left].id, symbols[right].id, merge->result});
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) consider(i);

  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol &left = symbols[best.left], &right = symbols[best.right];
    const bool unchanged = left.alive && right.alive && left.id == best.left_id && right.id == best.right_id;
    if (!unchanged) continue;
    left.id = best.result;
    left.next = right.next;
    if (right.next != kNone) symbols[right.next].previous = best.left;
    right.alive = false;
    consider(left.previous);
    consider(best.left);
  }

  word.clear();
  for (const Symbol& symbol : symbols)
    if (symbol.alive) word.push_back(symbol.id);
}

}  // namespace llama
