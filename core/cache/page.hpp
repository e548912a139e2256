// Reference-counted memory of tokens: a coded block of 64, or rows in 16 bit (sinks, tail, recent blocks).
#pragma once

#include <atomic>
#include <cstring>

#include "../codec/layer.hpp"
#include "account.hpp"

namespace tq {

// The header of an allocation; the data follows, aligned to 64 bytes. `tokens` is how many the statistics count.
struct alignas(kAlignment) Page {
  std::atomic<std::uint32_t> references{1};
  bool coded = false;
  std::size_t bytes = 0;  // of the data
  std::size_t tokens = 0;
  Account* account = nullptr;
  const Layer* layer = nullptr;
  Slabs::Slab* slab = nullptr;

  std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
};
static_assert(sizeof(Page) == kAlignment);

// Shared ownership of a page.
class PageRef {
 public:
  PageRef() = default;

  static PageRef coded(Account& account, const Layer& layer) {
    return PageRef(account, layer, layer.layout().page_bytes, true);
  }
  static PageRef exact(Account& account, const Layer& layer, std::size_t capacity) {
    return PageRef(account, layer, capacity * layer.token_bytes(), false);
  }

  PageRef(const PageRef& other) noexcept : page_(other.page_) {
    if (page_ != nullptr) page_->references.fetch_add(1, std::memory_order_relaxed);
  }
  PageRef(PageRef&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  PageRef& operator=(PageRef other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  ~PageRef() { reset(); }

  void reset() noexcept {
    Page* page = std::exchange(page_, nullptr);
    if (page == nullptr || page->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    page->account->add(usage(*page), -1);
    page->account->release_page(page, sizeof(Page) + page->bytes, page->slab);
  }

  explicit operator bool() const { return page_ != nullptr; }
  Page* operator->() const { return page_; }
  std::uint8_t* data() const { return page_->data(); }
  bool shared() const { return page_->references.load(std::memory_order_acquire) != 1; }

  // Tells the statistics that the page now holds `tokens`.
  void set_tokens(std::size_t tokens) const noexcept {
    if (page_->tokens == tokens) return;
    page_->account->add(usage(*page_), -1);
    page_->tokens = tokens;
    page_->account->add(usage(*page_));
  }

 private:
  PageRef(Account& account, const Layer& layer, std::size_t bytes, bool coded) {
    Slabs::Slab* slab = nullptr;
    page_ = new (account.allocate_page(sizeof(Page) + bytes, slab)) Page;
    page_->slab = slab;
    page_->coded = coded;
    page_->bytes = bytes;
    page_->account = &account;
    page_->layer = &layer;
  }

  static Usage usage(const Page& page) {
    Usage usage;
    if (page.tokens == 0) return usage;
    const auto tokens = static_cast<std::int64_t>(page.tokens);
    const auto token_bytes = static_cast<std::int64_t>(page.layer->token_bytes());
    usage.tokens = tokens;
    usage.bytes_16bit = tokens * token_bytes;
    if (!page.coded) {
      usage.exact_bytes = tokens * token_bytes;
      return usage;
    }
    const PageLayout& layout = page.layer->layout();
    usage.coded_tokens = tokens;
    usage.code_bytes = static_cast<std::int64_t>(layout.code_bytes);
    usage.scale_bytes = static_cast<std::int64_t>(layout.scale_bytes);
    usage.mean_bytes = static_cast<std::int64_t>(layout.mean_bytes);
    usage.coded_bytes = static_cast<std::int64_t>(layout.page_bytes);
    usage.coded_bytes_16bit = usage.bytes_16bit;
    return usage;
  }

  Page* page_ = nullptr;
};

}  // namespace tq
