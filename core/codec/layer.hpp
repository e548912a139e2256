// One layer of a cache: its options, coders, and the layout of its pages (docs/format.md section 5).
#pragma once

#include <cstring>

#include "side_coder.hpp"

namespace tq {

struct SideOptions {
  Format format = Format::kTq4;
  std::uint32_t dim = 0;
  std::uint32_t group = 64;
  std::uint32_t rotation_block = 0;
};

struct LayerOptions {
  std::uint32_t kv_heads = 0;
  SideOptions keys, values;
  bool center_keys = true;
  std::uint32_t search = 1;
  std::uint32_t sink_tokens = 4;
  std::uint32_t recent_blocks = 0;
  std::uint32_t exact_dtype = 0;  // 0: that of a sequence's first append
  std::uint32_t window = 0;
  std::uint64_t seed = kDefaultSeed;
};

// What precedes the head blocks, once per head.
struct HeadHeader {
  std::int8_t key_offset;
  std::int8_t value_offset;
  std::uint16_t zero;
  float mean_scale;
};
static_assert(sizeof(HeadHeader) == 8);

// Byte offsets inside a page and inside a head block.
struct PageLayout {
  std::size_t header_bytes = 0;
  std::size_t head_bytes = 0;
  std::size_t key_scales = 0, value_scales = 0, mean = 0, keys = 0, values = 0;
  std::size_t page_bytes = 0;
  // Of a whole page, for the statistics; the rest of page_bytes is headers and padding.
  std::size_t code_bytes = 0, scale_bytes = 0, mean_bytes = 0;
};

// The parts of one head block of a page; const or not as the page is.
template <class Byte>
struct HeadBlock {
  Byte* header;
  Byte* key_scales;
  Byte* value_scales;
  Byte* mean;
  Byte* keys;
  Byte* values;
};

struct TokenSource;

class Layer {
 public:
  Layer(const Allocator& allocator, const LayerOptions& options);

  const LayerOptions& options() const { return options_; }
  const PageLayout& layout() const { return layout_; }
  const SideCoder& key_coder() const { return keys_; }
  const SideCoder& value_coder() const { return values_; }
  bool keys_coded() const { return is_coded(options_.keys.format); }
  bool values_coded() const { return is_coded(options_.values.format); }
  bool centered() const { return keys_coded() && options_.center_keys; }
  std::uint32_t largest_dim() const;
  // Keys and values of one token of all heads in 16 bit.
  std::size_t token_bytes() const;

  template <class Byte>
  HeadBlock<Byte> head(Byte* page, std::size_t head) const {
    Byte* block = page + layout_.header_bytes + head * layout_.head_bytes;
    return {page + head * sizeof(HeadHeader),
            block + layout_.key_scales,
            block + layout_.value_scales,
            block + layout_.mean,
            block + layout_.keys,
            block + layout_.values};
  }

  // All zero where there are no headers, since neither side is coded.
  HeadHeader header(const std::uint8_t* page, std::size_t head) const {
    HeadHeader header{0, 0, 0, 0.0f};
    if (layout_.header_bytes != 0) std::memcpy(&header, this->head(page, head).header, sizeof header);
    return header;
  }

  // Rows of one head in an exact page, which has room for `capacity` tokens: [head][keys][values].
  template <class Byte>
  Byte* exact_keys(Byte* page, std::size_t capacity, std::size_t head) const {
    return page + head * capacity * 2 * (options_.keys.dim + options_.values.dim);
  }
  template <class Byte>
  Byte* exact_values(Byte* page, std::size_t capacity, std::size_t head) const {
    return exact_keys(page, capacity, head) + capacity * 2 * options_.keys.dim;
  }

  // The 64 tokens of an exact page that has room for so many.
  TokenSource exact_tokens(const std::uint8_t* page, Element element) const;

  // Codes the tokens first .. first + 63 of the source. What will be read after them are the tokens of `next` from
  // next_first on; they are fetched meanwhile. Returns whether all that it coded is certain to be finite and within
  // kMaxMagnitude; if not, the tokens have to be checked.
  bool encode_page(const TokenSource& source, std::size_t first, const TokenSource& next, std::size_t next_first,
                   std::uint8_t* page, CoderScratch& scratch) const;

  // The mean key of one head of a coded page, padded, at `mean`; nothing where keys are not centred.
  void mean_key(const std::uint8_t* page, std::size_t head, float* mean) const;
  // Decodes tokens first .. first + count - 1 of one head of a coded page; a target with data NULL is left out. `mean`:
  // what mean_key left there.
  void decode_keys(const std::uint8_t* page, std::size_t head, std::size_t first, std::size_t count, const float* mean,
                   const RowTarget& target, CoderScratch& scratch) const;
  void decode_values(const std::uint8_t* page, std::size_t head, std::size_t first, std::size_t count,
                     const RowTarget& target, CoderScratch& scratch) const;

 private:
  // Returns a bound of the magnitudes that were coded; infinity if a side is not coded.
  float encode_head(const TokenSource& source, std::size_t first, const TokenSource& next, std::size_t next_first,
                    std::uint8_t* page, std::size_t head, CoderScratch& scratch) const;

  LayerOptions options_;
  SideCoder keys_, values_;
  PageLayout layout_;
};

}  // namespace tq
