// Views of tokens: the caller's keys and values, and stretches of a sequence.
#pragma once

#include "layer.hpp"

namespace tq {

// Keys and values of the caller, [token][head][dim] with strides in elements.
struct TokenSource {
  Element element;
  std::size_t count;
  const void* keys;
  const void* values;
  std::size_t key_token_stride, key_head_stride, value_token_stride, value_head_stride;

  RowSource key_rows(std::size_t token, std::size_t head) const;
  RowSource value_rows(std::size_t token, std::size_t head) const;
  TokenSource part(std::size_t first, std::size_t tokens) const;
};

struct TokenTarget {
  Element element;
  void* keys;    // NULL: not wanted
  void* values;  // NULL: not wanted
  std::size_t key_token_stride, key_head_stride, value_token_stride, value_head_stride;

  RowTarget key_rows(std::size_t token, std::size_t head) const;
  RowTarget value_rows(std::size_t token, std::size_t head) const;
};

// A stretch of at most 64 tokens that lie in one page.
struct Segment {
  const std::uint8_t* page;
  std::size_t capacity;  // of an exact page; 0: a coded page
  std::size_t row;       // of the first token in the page
  std::size_t count;
  std::size_t position;  // of the first token in the sequence
};

// Refuses NaN, infinity and values that `element`, the type they will be kept in, cannot hold.
void check_tokens(const Layer& layer, const TokenSource& source, Element element);

}  // namespace tq
