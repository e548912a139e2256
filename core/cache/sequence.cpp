#include "sequence.hpp"

#include <algorithm>

#include "../codec/input_check.hpp"

namespace tq {
namespace {

void copy_rows(const RowSource& source, std::size_t count, std::size_t dim, std::uint8_t* target, Element element) {
  if (source.element != element) return kernels().convert_rows(source, count, dim, {target, element, dim});
  const std::size_t bytes = dim * element_bytes(element);
  for (std::size_t t = 0; t < count; ++t) std::memcpy(target + t * bytes, row_from(source, t).data, bytes);
}

// Tokens first .. first + count - 1 of the source into rows `row` .. of an exact page.
void write_rows(const Layer& layer, const TokenSource& source, std::size_t first, std::size_t count, std::uint8_t* page,
                std::size_t capacity, std::size_t row, Element element) {
  const std::size_t key_dim = layer.options().keys.dim, value_dim = layer.options().values.dim;
  for (std::size_t head = 0; head < layer.options().kv_heads; ++head) {
    std::uint8_t* keys = layer.exact_keys(page, capacity, head) + row * key_dim * 2;
    std::uint8_t* values = layer.exact_values(page, capacity, head) + row * value_dim * 2;
    copy_rows(source.key_rows(first, head), count, key_dim, keys, element);
    copy_rows(source.value_rows(first, head), count, value_dim, values, element);
  }
}

PageRef copy_page(Account& account, const Layer& layer, const PageRef& page, std::size_t capacity) {
  PageRef copy = PageRef::exact(account, layer, capacity);
  std::memcpy(copy.data(), page.data(), page->bytes);
  return copy;
}

}  // namespace

std::size_t Sequence::longest() const {
  std::size_t longest = 0;
  for (const LayerTokens& layer : layers_) longest = std::max(longest, layer.length());
  return longest;
}

Element LayerTokens::element_for(const Layer& layer, Element source) const {
  if (element_ != Element::kF32) return element_;
  if (layer.options().exact_dtype != 0) return static_cast<Element>(layer.options().exact_dtype);
  return source == Element::kF32 ? Element::kF16 : source;
}

namespace {

// Checks the tokens of an append shortly before they are used, so that a long one is read from memory only once. Until
// the append is complete, nothing that can be seen has changed but the number of tokens in the last page.
class TokenCheck {
 public:
  TokenCheck(const Layer& layer, const TokenSource& source, Element element, const PageRef* last)
      : layer_(layer),
        source_(source),
        element_(element),
        last_(last),
        tokens_(last != nullptr ? (*last)->tokens : 0) {}

  // The tokens before `end` are known to be valid if those before were.
  void skip(std::size_t end) { checked_ = std::max(checked_, end); }

  // Makes sure that the tokens before `end` are valid.
  void up_to(std::size_t end) {
    end = std::min(end, source_.count);
    if (end <= checked_) return;
    try {
      check_tokens(layer_, source_.part(checked_, end - checked_), element_);
    } catch (...) {
      if (last_ != nullptr) last_->set_tokens(tokens_);
      check_tokens(layer_, source_, element_);  // reports the first mistake of the whole call
      throw;
    }
    checked_ = end;
  }

 private:
  const Layer& layer_;
  const TokenSource& source_;
  Element element_;
  const PageRef* last_;
  std::size_t tokens_, checked_ = 0;
};

}  // namespace

// What an append needs, allocated before anything changes.
struct LayerTokens::Plan {
  Plan(LayerTokens& tokens, Account& account, const Layer& layer, std::size_t length)
      : sinks(tokens.sinks_),
        coded(AccountAllocator<PageRef>(account)),
        fresh(AccountAllocator<PageRef>(account)),
        grown(AccountAllocator<PageRef>(account)),
        recent(tokens.recent_),
        scratch(account.allocator(), layer.largest_dim()) {
    const LayerOptions& options = layer.options();
    const std::size_t old_blocks = tokens.blocks(tokens.length_, options.sink_tokens);
    const std::size_t new_blocks = tokens.blocks(length, options.sink_tokens);
    const std::size_t complete = length <= options.sink_tokens ? 0 : (length - options.sink_tokens) / kBlockTokens;
    const std::size_t ready = complete > options.recent_blocks ? complete - options.recent_blocks : 0;
    first_new_block = old_blocks;
    const std::size_t to_code = ready > tokens.coded_.size() ? ready - tokens.coded_.size() : 0;

    if (options.sink_tokens != 0 && tokens.length_ < options.sink_tokens) {
      if (!sinks) {
        sinks = PageRef::exact(account, layer, options.sink_tokens);
      } else if (seen_by_others(sinks)) {
        sinks = copy_page(account, layer, tokens.sinks_, options.sink_tokens);
      }
    }
    const std::size_t used = tokens.length_ <= options.sink_tokens ? 0 : tokens.length_ - options.sink_tokens;
    if (used % kBlockTokens != 0 && seen_by_others(recent.back()))
      recent.back() = copy_page(account, layer, tokens.recent_.back(), kBlockTokens);
    const std::size_t pages = std::min<std::size_t>(new_blocks - old_blocks, options.recent_blocks + std::size_t{1});
    fresh.reserve(pages);
    for (std::size_t i = 0; i < pages; ++i) fresh.push_back(PageRef::exact(account, layer, kBlockTokens));
    coded.reserve(to_code);
    for (std::size_t i = 0; i < to_code; ++i) coded.push_back(PageRef::coded(account, layer));
    recent.reserve(recent.size() + new_blocks - old_blocks);
    const std::size_t room = tokens.coded_.size() + to_code;  // doubled, so that tables are not copied at every block
    if (room > tokens.coded_.capacity()) grown.reserve(std::max(room, 2 * tokens.coded_.capacity()));
  }

  // Besides the sequence and this plan.
  static bool seen_by_others(const PageRef& page) { return page->references.load(std::memory_order_acquire) > 2; }

  PageRef sinks;
  Table<PageRef> coded;  // empty pages for the blocks that become complete
  Table<PageRef> fresh;  // empty exact pages; used again within the call once their block is coded
  Table<PageRef> grown;  // empty, with room for all coded pages if the sequence's own table has not enough
  Table<PageRef> recent;
  CoderScratch scratch;
  std::size_t first_new_block = 0;
};

void LayerTokens::append(Account& account, const Layer& layer, const TokenSource& source) {
  const std::size_t sinks = layer.options().sink_tokens, length = length_ + source.count;
  const Element element = element_for(layer, source.element);
  TokenCheck check(layer, source, element, recent_.empty() ? nullptr : &recent_.back());
  Plan plan(*this, account, layer, length);

  // Whole blocks that need no 16-bit copy, neither to be rounded nor to be kept.
  const bool straight = layer.options().recent_blocks == 0 && source.element == element;

  // From here on nothing but the check fails. Rows are written behind the tokens that others may see.
  std::size_t done = 0, next_coded = 0, front = 0;  // front: how many of plan.recent have been coded
  const auto position = [&] { return length_ + done; };
  if (position() < sinks) {
    const std::size_t count = std::min(sinks - position(), source.count);
    check.up_to(count);
    write_rows(layer, source, 0, count, plan.sinks.data(), sinks, position(), element);
    done = count;
  }
  while (done < source.count) {
    const std::size_t block = (position() - sinks) / kBlockTokens, row = (position() - sinks) % kBlockTokens;
    if (straight && row == 0 && source.count - done >= kBlockTokens) {
      const PageRef& code = plan.coded[next_coded++];
      if (layer.encode_page(source, done, source, done + kBlockTokens, code.data(), plan.scratch))
        check.skip(done + kBlockTokens);
      check.up_to(done + kBlockTokens);
      code.set_tokens(kBlockTokens);
      done += kBlockTokens;
      continue;
    }
    check.up_to(done + kBlockTokens - row);
    if (row == 0) {
      plan.recent.push_back(std::move(plan.fresh.back()));
      plan.fresh.pop_back();
    }
    const PageRef& page = plan.recent.back();
    const std::size_t count = std::min(kBlockTokens - row, source.count - done);
    write_rows(layer, source, done, count, page.data(), kBlockTokens, row, element);
    page.set_tokens(row + count);
    done += count;
    const bool complete = row + count == kBlockTokens;
    if (!complete || block + 1 <= coded_.size() + next_coded + layer.options().recent_blocks) continue;

    PageRef oldest = std::move(plan.recent[front++]);
    const PageRef& code = plan.coded[next_coded++];
    layer.encode_page(layer.exact_tokens(oldest.data(), element), 0, source, done, code.data(), plan.scratch);
    code.set_tokens(kBlockTokens);
    if (coded_.size() + next_coded - 1 >= plan.first_new_block) {
      oldest.set_tokens(0);
      plan.fresh.push_back(std::move(oldest));
    }
  }
  if (plan.sinks) plan.sinks.set_tokens(std::min(length, sinks));
  plan.recent.erase(plan.recent.begin(), plan.recent.begin() + static_cast<std::ptrdiff_t>(front));
  if (plan.grown.capacity() != 0) {
    for (PageRef& page : coded_) plan.grown.push_back(std::move(page));
    coded_.swap(plan.grown);
  }
  for (PageRef& page : plan.coded) coded_.push_back(std::move(page));
  sinks_ = std::move(plan.sinks);
  recent_.swap(plan.recent);
  element_ = element;
  release_behind_window(layer, length_);
  length_ = length;
}

// Queries stand at `length` or later.
void LayerTokens::release_behind_window(const Layer& layer, std::size_t length) {
  const std::size_t window = layer.options().window;
  if (window == 0 || length < window) return;
  const std::size_t first_needed = length - window + 1;
  while (released_ < coded_.size() && layer.options().sink_tokens + (released_ + 1) * kBlockTokens <= first_needed) {
    coded_[released_++].reset();
  }
}

std::size_t LayerTokens::first_held(const Layer& layer) const {
  return released_ == 0 ? 0 : layer.options().sink_tokens + released_ * kBlockTokens;
}

Segment LayerTokens::segment_at(const Layer& layer, std::size_t position, std::size_t end) const {
  const std::size_t sinks = layer.options().sink_tokens;
  if (position < sinks) return {sinks_.data(), sinks, position, std::min(sinks, end) - position, position};
  const std::size_t block = (position - sinks) / kBlockTokens, row = (position - sinks) % kBlockTokens;
  const std::size_t count = std::min(kBlockTokens - row, end - position);
  if (block < coded_.size()) return {coded_[block].data(), 0, row, count, position};
  return {recent_[block - coded_.size()].data(), kBlockTokens, row, count, position};
}

std::size_t LayerTokens::count_segments(const Layer& layer, std::size_t first, std::size_t end) const {
  if (first >= end) return 0;
  const std::size_t sinks = layer.options().sink_tokens;
  const std::size_t of_sinks = first < sinks ? 1 : 0;
  if (end <= sinks) return of_sinks;
  const std::size_t from = (std::max(first, sinks) - sinks) / kBlockTokens;
  return of_sinks + (end - sinks + kBlockTokens - 1) / kBlockTokens - from;
}

Table<PageRef> LayerTokens::prepare_cut(Account& account, const Layer& layer, std::size_t length) const {
  Table<PageRef> remainder{AccountAllocator<PageRef>(account)};
  const std::size_t sinks = layer.options().sink_tokens;
  if (length >= length_ || length <= sinks) return remainder;
  const std::size_t block = (length - sinks) / kBlockTokens, rows = (length - sinks) % kBlockTokens;
  if (rows == 0 || block >= coded_.size()) return remainder;
  PageRef page = PageRef::exact(account, layer, kBlockTokens);
  CoderScratch scratch(account.allocator(), layer.largest_dim());
  for (std::size_t head = 0; head < layer.options().kv_heads; ++head) {
    const std::uint8_t* coded = coded_[block].data();
    layer.mean_key(coded, head, scratch.mean.data());
    layer.decode_keys(coded, head, 0, rows, scratch.mean.data(),
                      {layer.exact_keys(page.data(), kBlockTokens, head), element_, layer.options().keys.dim}, scratch);
    layer.decode_values(coded, head, 0, rows,
                        {layer.exact_values(page.data(), kBlockTokens, head), element_, layer.options().values.dim},
                        scratch);
  }
  page.set_tokens(rows);
  remainder.push_back(std::move(page));
  return remainder;
}

void LayerTokens::cut(const Layer& layer, std::size_t length, Table<PageRef>& remainder) {
  if (length >= length_) return;
  const std::size_t sinks = layer.options().sink_tokens;
  const std::size_t kept = length <= sinks ? 0 : length - sinks;
  const std::size_t whole = kept / kBlockTokens, rows = kept % kBlockTokens;
  if (whole < coded_.size()) {
    while (coded_.size() > whole) coded_.pop_back();
    recent_.swap(remainder);
  } else {
    const std::size_t pages = whole - coded_.size() + (rows != 0);
    while (recent_.size() > pages) recent_.pop_back();
    if (rows != 0 && !recent_.back().shared()) recent_.back().set_tokens(rows);
  }
  if (sinks_ && length < sinks && !sinks_.shared()) sinks_.set_tokens(length);
  if (length == 0) {
    sinks_.reset();
    element_ = Element::kF32;
  }
  released_ = std::min(released_, coded_.size());
  length_ = length;
}

}  // namespace tq
