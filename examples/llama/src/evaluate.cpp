#include "evaluate.hpp"

#include <algorithm>
#include <span>

#include "distributions.hpp"

namespace llama {
namespace {

std::vector<TokenId> window_tokens(const std::vector<TokenId>& text, TokenId bos, const Windows& windows,
                                   std::size_t window) {
  const auto begin = text.begin() + static_cast<std::ptrdiff_t>(window * (windows.context - 1));
  std::vector<TokenId> tokens = {bos};
  tokens.insert(tokens.end(), begin, begin + static_cast<std::ptrdiff_t>(windows.context - 1));
  return tokens;
}

std::span<const TokenId> chunk_at(const std::vector<TokenId>& tokens, std::size_t start, std::size_t count) {
  return std::span(tokens).subspan(start, std::min(count, tokens.size() - start));
}

std::span<const float> row(const std::vector<float>& logits, std::size_t index, std::size_t size) {
  return std::span(logits).subspan(index * size, size);
}

struct Position {
  double exact_loss = 0.0, coded_loss = 0.0;  // 0 where the window ends
  double kl = 0.0;
  bool same_top = false;
};

// `next` is the token that follows, or -1 at the end of a window.
Position compare(std::span<const float> exact, std::span<const float> coded, TokenId next) {
  const double exact_sum = log_sum_exp(exact), coded_sum = log_sum_exp(coded);
  Position position;
  position.kl = kl_divergence(exact, exact_sum, coded, coded_sum);
  position.same_top = most_likely(exact) == most_likely(coded);
  if (next >= 0) {
    position.exact_loss = exact_sum - exact[static_cast<std::size_t>(next)];
    position.coded_loss = coded_sum - coded[static_cast<std::size_t>(next)];
  }
  return position;
}

// The first passes of a process pay for fresh memory; no cache shall pay for the other.
void warm_up(Model& model, KvCache& exact, KvCache& coded) {
  const std::vector<TokenId> tokens(std::min(kChunkTokens, model.config().max_positions), model.config().bos);
  std::vector<float> logits;
  for (KvCache* cache : {&exact, &coded}) {
    cache->clear();
    model.forward(tokens, *cache, LogitsOf::kEveryToken, logits);
  }
}

}  // namespace

Evaluation evaluate(Model& model, Threads& threads, const std::vector<TokenId>& text, const Windows& windows,
                    KvCache& exact, KvCache& coded, const Progress& progress) {
  const std::size_t vocabulary = model.config().vocabulary, all = windows.count * windows.context;
  std::vector<float> exact_logits, coded_logits;
  std::vector<Position> positions;
  Evaluation sum;
  warm_up(model, exact, coded);

  for (std::size_t w = 0; w < windows.count; ++w) {
    const std::vector<TokenId> tokens = window_tokens(text, model.config().bos, windows, w);
    exact.clear();
    coded.clear();
    for (std::size_t start = 0; start < tokens.size();) {
      const auto chunk = chunk_at(tokens, start, coded.next_chunk(kChunkTokens));
      positions.resize(chunk.size());
      sum.exact.time += model.forward(chunk, exact, LogitsOf::kEveryToken, exact_logits);
      sum.coded.time += model.forward(chunk, coded, LogitsOf::kEveryToken, coded_logits);
      threads.run(chunk.size(), [&](std::size_t i) {
        const TokenId next = start + i + 1 < tokens.size() ? tokens[start + i + 1] : -1;
        positions[i] = compare(row(exact_logits, i, vocabulary), row(coded_logits, i, vocabulary), next);
      });
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        sum.exact.loss += positions[i].exact_loss;
        sum.coded.loss += positions[i].coded_loss;
        sum.kl_mean += positions[i].kl;
        sum.top1 += positions[i].same_top ? 1.0 : 0.0;
      }
      start += chunk.size();
      progress(w * windows.context + start, all);
    }
  }

  for (CacheResult* result : {&sum.exact, &sum.coded}) {
    result->loss /= static_cast<double>(windows.text_tokens());
    result->time.total /= static_cast<double>(all);
    result->time.cache /= static_cast<double>(all);
  }
  sum.exact.statistics = exact.statistics();
  sum.coded.statistics = coded.statistics();
  sum.kl_mean /= static_cast<double>(all);
  sum.top1 /= static_cast<double>(all);
  return sum;
}

}  // namespace llama
