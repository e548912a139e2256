// Which query and head the rows of a tile belong to, and which positions they see.
#pragma once

#include <algorithm>

#include "attend.hpp"

namespace tq {

// The positions that a row sees: first <= position < end.
struct Visible {
  std::size_t first, end;
};

// Rows of a kv head: its query heads for one new token, then for the next.
class RowPlaces {
 public:
  RowPlaces(const AttendOptions& options, const AttendJob& job, std::size_t head, std::size_t first_row)
      : head_(head),
        first_row_(first_row),
        per_head_(options.q_heads / job.layer->options().kv_heads),
        first_position_(job.first_position),
        window_(job.layer->options().window),
        causal_(options.causal) {}

  std::size_t query_of(std::size_t row) const { return (first_row_ + row) / per_head_; }
  std::size_t q_head_of(std::size_t row) const { return head_ * per_head_ + (first_row_ + row) % per_head_; }

  // Where a row of the queries or outputs is.
  void* at(const HeadRows& rows, std::size_t row) const { return rows.at(query_of(row), q_head_of(row)); }

  // Asks for one that will be read or written soon: those of several tokens lie pages apart, where no processor looks
  // ahead.
  template <int Write>
  void prefetch(const HeadRows& rows, std::size_t row, std::size_t dim) const {
    const char* row_start = static_cast<const char*>(at(rows, row));
    for (std::size_t byte = 0; byte < dim * element_bytes(rows.element); byte += 64)
      __builtin_prefetch(row_start + byte, Write);
  }

  Visible visible(std::size_t row) const {
    const std::size_t position = first_position_ + query_of(row);
    const std::size_t end = causal_ ? position + 1 : SIZE_MAX;
    return {window_ != 0 && position + 1 > window_ ? position + 1 - window_ : 0, end};
  }

  // Of `count` tokens from `position` on.
  VisibleTokens visible_tokens(std::size_t row, std::size_t position, std::size_t count) const {
    const Visible range = visible(row);
    const std::size_t first = std::min(count, range.first > position ? range.first - position : 0);
    const std::size_t end = range.end <= position ? 0 : std::min(count, range.end - position);
    return {first, std::max(first, end)};
  }

  // Calls body(row, rows, seen) for groups of at most kMaxRows of these rows, of which one sees some of the positions;
  // none sees more than the first `seen`.
  template <class Body>
  void for_visible_rows(std::size_t first, std::size_t end, std::size_t position, std::size_t count, Body body) const {
    for (std::size_t row = first; row < end; row += kMaxRows) {
      const std::size_t rows = std::min(kMaxRows, end - row);
      bool any = false;
      for (std::size_t r = row; r < row + rows; ++r) {
        const Visible range = visible(r);
        any = any || (range.first < position + count && range.end > position);
      }
      if (any) body(row, rows, std::min(count, visible(row + rows - 1).end - position));
    }
  }

 private:
  std::size_t head_, first_row_, per_head_, first_position_, window_;
  bool causal_;
};

}  // namespace tq
