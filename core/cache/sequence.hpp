// The tokens of one sequence, layer by layer: exact sinks, coded blocks, exact recent blocks and tail.
//
//   position   0 .. sinks-1 | 64-token blocks: coded[0], coded[1], .. | recent[0], .. , the last one being the tail
//
// Every change prepares all memory first and then commits without anything that can fail.
#pragma once

#include <atomic>
#include <vector>

#include "../codec/tokens.hpp"
#include "page.hpp"

namespace tq {

template <class T>
using Table = std::vector<T, AccountAllocator<T>>;

class LayerTokens {
 public:
  explicit LayerTokens(Account& account)
      : coded_(AccountAllocator<PageRef>(account)), recent_(AccountAllocator<PageRef>(account)) {}

  std::size_t length() const { return length_; }
  Element element() const { return element_; }

  // The 16-bit type that tokens of `source` type will be kept in.
  Element element_for(const Layer& layer, Element source) const;

  // The values have been checked; either all tokens are appended or an exception leaves everything as it was.
  void append(Account& account, const Layer& layer, const TokenSource& source);

  // The first position that is still held (a sliding window releases older ones, but never the sinks).
  std::size_t first_held(const Layer& layer) const;

  // Everything after the sinks starts at coded block 0. Calls body(segment) for the tokens in [first, end).
  template <class Body>
  void for_segments(const Layer& layer, std::size_t first, std::size_t end, const Body& body) const;
  std::size_t count_segments(const Layer& layer, std::size_t first, std::size_t end) const;

  void read(const Allocator& allocator, const Layer& layer, std::size_t first, std::size_t count,
            const TokenTarget& target) const;

  // Truncation in two steps: `prepare_cut` makes a table with the 16-bit page for what remains of a coded block, empty
  // where none is needed; `cut` puts it in place, allocates nothing and cannot fail.
  Table<PageRef> prepare_cut(Account& account, const Layer& layer, std::size_t length) const;
  void cut(const Layer& layer, std::size_t length, Table<PageRef>& remainder);

 private:
  struct Plan;

  std::size_t blocks(std::size_t length, std::size_t sinks) const {
    return length <= sinks ? 0 : (length - sinks + kBlockTokens - 1) / kBlockTokens;
  }
  Segment segment_at(const Layer& layer, std::size_t position, std::size_t end) const;
  void release_behind_window(const Layer& layer, std::size_t length);

  std::size_t length_ = 0;
  Element element_ = Element::kF32;  // kF32: not known before the first append
  PageRef sinks_;
  Table<PageRef> coded_;  // empty references where a window released the block
  Table<PageRef> recent_;
  std::size_t released_ = 0;  // coded blocks
};

class Sequence {
 public:
  Sequence(Account& account, std::size_t layers)
      : layers_(layers, LayerTokens(account), AccountAllocator<LayerTokens>(account)) {}
  Sequence(const Sequence& other) : layers_(other.layers_) {}

  LayerTokens& layer(std::size_t i) { return layers_[i]; }
  const LayerTokens& layer(std::size_t i) const { return layers_[i]; }
  std::size_t longest() const;

  std::atomic<bool> writing{false};

 private:
  Table<LayerTokens> layers_;
};

template <class Body>
void LayerTokens::for_segments(const Layer& layer, std::size_t first, std::size_t end, const Body& body) const {
  for (std::size_t position = first; position < end;) {
    const Segment segment = segment_at(layer, position, end);
    body(segment);
    position += segment.count;
  }
}

}  // namespace tq
