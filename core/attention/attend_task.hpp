// Attention of a tile of query rows over a range of segments: one kv head, online softmax.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "attend.hpp"
#include "row_tile.hpp"

namespace tq {

inline constexpr float kLog2E = 1.44269504f;
inline constexpr float kLn2 = 0.693147181f;
// Coded blocks that one kernel call takes: few where many rows read them again and again, so that they stay in the cache.
inline constexpr std::size_t kRunBlocks = 128, kSharedRunBlocks = 32;
inline constexpr float kNothing = -std::numeric_limits<float>::infinity();

inline constexpr std::size_t kLeastShared = 4;  // groups of rows for which codes are looked up beforehand
static_assert(kTaskRows <= kMaxRows * kMaxSharedGroups);

// The positions that a row sees: first <= position < end.
struct Visible {
  std::size_t first, end;
};

class AttendTask {
 public:
  AttendTask(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t head,
             std::size_t first_row, std::size_t rows)
      : options_(options),
        job_(job),
        layer_(*job.layer),
        head_(head),
        first_row_(first_row),
        per_head_(options.q_heads / layer_.options().kv_heads),
        tile_(allocator, layer_, rows) {}

  void load_queries() {
    for (std::size_t row = 0; row < tile_.rows(); ++row) load_query(row);
  }

  // The segments first .. end - 1, and after the last one the new tokens.
  void attend(std::size_t first, std::size_t end) {
    for (std::size_t i = first; i < end;) i = add_segments(i, end);
    if (end == job_.segment_count && job_.fresh != nullptr) add_fresh();
  }

  void finish() {
    for (std::size_t row = 0; row < tile_.rows(); ++row) finish_row(row);
  }

  RowTile& tile() { return tile_; }

 private:
  std::size_t query_of(std::size_t row) const { return (first_row_ + row) / per_head_; }
  std::size_t q_head_of(std::size_t row) const { return head_ * per_head_ + (first_row_ + row) % per_head_; }

  Visible visible(std::size_t row) const {
    const std::size_t position = job_.first_position + query_of(row), window = layer_.options().window;
    const std::size_t end = options_.causal ? position + 1 : SIZE_MAX;
    return {window != 0 && position + 1 > window ? position + 1 - window : 0, end};
  }

  void load_query(std::size_t row) {
    const std::size_t dim = layer_.options().keys.dim;
    float* query = tile_.query(row);
    kernels().load_rows({job_.query.at(query_of(row), q_head_of(row)), job_.query.element, dim}, 1, dim, query);
    tile_.broken(row) = kernels().find_invalid(query, Element::kF32, dim, std::numeric_limits<float>::max()) != dim;
    if (tile_.broken(row)) std::fill(query, query + dim, 0.0f);
    // With a softcap, its kernel changes to base 2.
    kernels().scale_floats(query, dim, options_.softcap > 0 ? options_.scale : options_.scale * kLog2E);
    tile_.prepare(layer_, row);
  }

  // Handles segment i, and those before `end` that can go with it; returns the next one.
  std::size_t add_segments(std::size_t i, std::size_t end) {
    const Segment& segment = job_.segments[i];
    if (segment.capacity != 0) {
      add_exact(segment);
      return i + 1;
    }
    if (!layer_.keys_coded() || !layer_.values_coded()) {
      add_mixed(segment);
      return i + 1;
    }
    return add_coded(i, end);
  }

  void add_exact(const Segment& segment) {
    const LayerOptions& options = layer_.options();
    const RowSource keys{layer_.exact_keys(segment.page, segment.capacity, head_) + segment.row * options.keys.dim * 2,
                         job_.element, options.keys.dim};
    const RowSource values{
        layer_.exact_values(segment.page, segment.capacity, head_) + segment.row * options.values.dim * 2, job_.element,
        options.values.dim};
    add_rows(keys, values, segment.position, segment.count);
  }

  void add_fresh() {
    const TokenSource& fresh = *job_.fresh;
    for (std::size_t first = 0; first < fresh.count; first += kBlockTokens)
      add_rows(fresh.key_rows(first, head_), fresh.value_rows(first, head_), job_.fresh_position + first,
               std::min(kBlockTokens, fresh.count - first));
  }

  // Many rows read the tokens many times: then these are converted once, and brought together if they lie far apart.
  void add_rows(RowSource keys, RowSource values, std::size_t position, std::size_t count) {
    const LayerOptions& options = layer_.options();
    if (tile_.rows() > kMaxRows) {
      keys = tile_.expand_keys(keys, count, options.keys.dim);
      values = tile_.expand_values(values, count, options.values.dim);
    }
    for_visible_rows(position, count, [&](std::size_t row, std::size_t rows) {
      const std::size_t seen = std::min(count, visible(row + rows - 1).end - position);
      kernels().row_scores(keys, seen, options.keys.dim, tile_.query(row), rows, tile_.scores());
      weigh(row, rows, position, 0, seen);
      kernels().row_values(values, seen, options.values.dim, tile_.scores(), rows, tile_.exact_sums(row));
    });
  }

  CodedBlock coded_block(const Segment& segment) const {
    const HeadBlock<const std::uint8_t> block = layer_.head(segment.page, head_);
    HeadHeader header;
    std::memcpy(&header, block.header, sizeof header);
    return {block.key_scales, power_of_two(header.key_offset), power_of_two(header.value_offset), header.mean_scale};
  }

  // What row `row` sees of a segment, as columns of its page.
  VisibleTokens visible_columns(std::size_t row, const Segment& segment) const {
    const Visible range = visible(row);
    const std::size_t position = segment.position;
    const std::size_t first = std::min(segment.count, range.first > position ? range.first - position : 0);
    const std::size_t end = range.end <= position ? 0 : std::min(segment.count, range.end - position);
    return {segment.row + first, segment.row + std::max(first, end)};
  }

  bool all_visible(std::size_t i) const {
    const Segment& segment = job_.segments[i];
    if (segment.capacity != 0 || segment.count != kBlockTokens) return false;
    const Visible oldest = visible(0), newest = visible(tile_.rows() - 1);
    return newest.first <= segment.position && oldest.end >= segment.position + kBlockTokens;
  }

  QueryRows query_rows(std::size_t row, std::size_t rows) {
    return {rows,
            tile_.coded(row),
            tile_.rotated(row),
            &tile_.maximum(row),
            &tile_.sum(row),
            tile_.rotated_sums(row),
            tile_.exact_sums(row)};
  }

  // Where many rows see the same blocks, all but the last few together. Returns how many.
  std::size_t attend_shared(const CodedRun& run) {
    const std::size_t count = tile_.rows() / kMaxRows;
    if (count < kLeastShared || run.keys.format != Format::kTq4 || run.values.format != Format::kTq4) return 0;
    QueryRows groups[kMaxSharedGroups];
    for (std::size_t g = 0; g < count; ++g) groups[g] = query_rows(g * kMaxRows, kMaxRows);
    kernels().attend_shared(run, groups, count, tile_.wide_codes());
    return count * kMaxRows;
  }

  // As many coded blocks as all rows see entirely, or one of which they do not.
  std::size_t add_coded(std::size_t i, std::size_t end) {
    CodedBlock blocks[kRunBlocks];
    const std::size_t most = tile_.rows() > kMaxRows ? kSharedRunBlocks : kRunBlocks;
    std::size_t count = 0;
    while (i + count < end && count < most && all_visible(i + count)) {
      blocks[count] = coded_block(job_.segments[i + count]);
      ++count;
    }
    const bool partial = count == 0;
    if (partial) blocks[count++] = coded_block(job_.segments[i]);
    const PageLayout& layout = layer_.layout();
    CodedRun run{layer_.key_coder().shape(),
                 layer_.value_coder().shape(),
                 {layout.key_scales, layout.value_scales, layout.mean, layout.keys, layout.values},
                 layer_.centered() ? 1.0f / static_cast<float>(layer_.key_coder().rotation().block) : 0.0f,
                 options_.softcap,
                 blocks,
                 count,
                 nullptr,
                 false};
    const std::size_t shared = partial ? 0 : attend_shared(run);
    for (std::size_t row = shared; row < tile_.rows(); row += kMaxRows) {
      const std::size_t rows = std::min(kMaxRows, tile_.rows() - row);
      VisibleTokens visible[kMaxRows];
      for (std::size_t r = 0; partial && r < rows; ++r) visible[r] = visible_columns(row + r, job_.segments[i]);
      if (partial) run.visible = visible;
      run.far = options_.far && row == 0;  // the other rows find the blocks near
      kernels().attend_run(run, query_rows(row, rows));
    }
    return i + count;
  }

  // One side coded, the other in a 16-bit format. The page holds 64 tokens, of which those at row .. row + count - 1
  // belong to the sequence.
  void add_mixed(const Segment& segment) {
    const HeadBlock<const std::uint8_t> block = layer_.head(segment.page, head_);
    HeadHeader header{0, 0, 0, 0.0f};
    if (layer_.layout().header_bytes != 0) std::memcpy(&header, block.header, sizeof header);
    if (layer_.centered())
      rotated_mean(layer_.key_coder(), reinterpret_cast<const std::int8_t*>(block.mean), header.mean_scale,
                   tile_.mean());
    for_visible_rows(segment.position, segment.count, [&](std::size_t row, std::size_t rows) {
      block_scores(block, header, row, rows);
      weigh(row, rows, segment.position, segment.row, segment.count);
      block_values(block, header, row, rows);
    });
  }

  void block_scores(const HeadBlock<const std::uint8_t>& block, const HeadHeader& header, std::size_t row,
                    std::size_t rows) {
    const CodeShape& shape = layer_.key_coder().shape();
    if (!layer_.keys_coded()) {
      const Element element = shape.format == Format::kF16 ? Element::kF16 : Element::kBf16;
      kernels().row_scores({block.keys, element, shape.dim}, kBlockTokens, shape.dim, tile_.query(row), rows,
                           tile_.scores());
      return;
    }
    const CodedSide keys{block.keys, block.key_scales, power_of_two(header.key_offset), block.values, nullptr};
    kernels().coded_scores(shape, keys, tile_.coded(row), rows, tile_.scores(), kBlockTokens);
    if (!layer_.centered()) return;
    const float inverse = 1.0f / static_cast<float>(layer_.key_coder().rotation().block);
    for (std::size_t r = 0; r < rows; ++r) {
      const float shift = inverse * kernels().dot(tile_.rotated(row + r), tile_.mean(), layer_.key_coder().padded());
      float* scores = tile_.scores() + r * kBlockTokens;
      for (std::size_t t = 0; t < kBlockTokens; ++t) scores[t] += shift;
    }
  }

  void block_values(const HeadBlock<const std::uint8_t>& block, const HeadHeader& header, std::size_t row,
                    std::size_t rows) {
    const CodeShape& shape = layer_.value_coder().shape();
    if (layer_.values_coded()) {
      const CodedSide values{block.values, block.value_scales, power_of_two(header.value_offset), block.values,
                             nullptr};
      return kernels().coded_values(shape, values, tile_.scores(), rows, tile_.rotated_sums(row));
    }
    const Element element = shape.format == Format::kF16 ? Element::kF16 : Element::kBf16;
    kernels().row_values({block.values, element, shape.dim}, kBlockTokens, shape.dim, tile_.scores(), rows,
                         tile_.exact_sums(row));
  }

  // Calls body(row, rows) for groups of at most kMaxRows rows of which one sees some of these positions.
  template <class Body>
  void for_visible_rows(std::size_t position, std::size_t count, Body body) {
    for (std::size_t row = 0; row < tile_.rows(); row += kMaxRows) {
      const std::size_t rows = std::min(kMaxRows, tile_.rows() - row);
      bool any = false;
      for (std::size_t r = row; r < row + rows; ++r) {
        const Visible range = visible(r);
        any = any || (range.first < position + count && range.end > position);
      }
      if (any) body(row, rows);
    }
  }

  // Scores to softmax weights: column `column` of the 64 is the token at `position`. What a row does not see gets
  // weight 0.
  void weigh(std::size_t row, std::size_t rows, std::size_t position, std::size_t column, std::size_t count) {
    for (std::size_t r = 0; r < rows; ++r) {
      float* scores = tile_.scores() + r * kBlockTokens;
      const Visible range = visible(row + r);
      const std::size_t first = std::min(count, range.first > position ? range.first - position : 0);
      const std::size_t end = range.end <= position ? 0 : std::min(count, range.end - position);
      std::fill(scores, scores + column + first, kNothing);
      std::fill(scores + column + std::max(first, end), scores + kBlockTokens, kNothing);
      if (options_.softcap > 0) cap(scores);
      const float before = tile_.maximum(row + r);
      const float after = kernels().softmax(scores, before, &tile_.sum(row + r));
      tile_.maximum(row + r) = after;
      if (after != before && before != kNothing) tile_.rescale(row + r, std::exp2(before - after));
    }
  }

  void cap(float* scores) const {
    bool hidden[kBlockTokens];
    for (std::size_t t = 0; t < kBlockTokens; ++t) hidden[t] = scores[t] == kNothing;
    kernels().softcap(scores, kBlockTokens, options_.softcap);
    for (std::size_t t = 0; t < kBlockTokens; ++t) {
      if (hidden[t]) scores[t] = kNothing;
    }
  }

  void finish_row(std::size_t row) {
    const std::size_t dim = layer_.options().values.dim;
    if (options_.sink_logits != nullptr) add_sink(row, options_.sink_logits[q_head_of(row)] * kLog2E);
    float* out = tile_.exact_sums(row);
    if (layer_.values_coded()) {
      const SideCoder& coder = layer_.value_coder();
      kernels().unrotate_rows(tile_.rotated_sums(row), 1, coder.rotation(), out);
      out = tile_.rotated_sums(row);
    }
    const float sum = tile_.sum(row);
    kernels().scale_floats(out, dim, sum > 0 ? 1.0f / sum : 0.0f);
    if (tile_.broken(row)) std::fill(out, out + dim, std::numeric_limits<float>::quiet_NaN());
    kernels().store_rows(out, dim, 1, dim, {job_.output.at(query_of(row), q_head_of(row)), job_.output.element, dim});
    if (job_.log_sum_exp == nullptr) return;
    float lse = sum > 0 ? (tile_.maximum(row) + std::log2(sum)) * kLn2 : kNothing;
    if (tile_.broken(row)) lse = std::numeric_limits<float>::quiet_NaN();
    job_.log_sum_exp[query_of(row) * options_.q_heads + q_head_of(row)] = lse;
  }

  void add_sink(std::size_t row, float logit) {
    if (logit == kNothing) return;
    const float before = tile_.maximum(row), after = std::max(before, logit);
    const float change = before == kNothing ? 0.0f : std::exp2(before - after);
    tile_.rescale(row, change);
    tile_.sum(row) = tile_.sum(row) * change + std::exp2(logit - after);
    tile_.maximum(row) = after;
  }

  const AttendOptions& options_;
  const AttendJob& job_;
  const Layer& layer_;
  std::size_t head_, first_row_, per_head_;
  RowTile tile_;
};

}  // namespace tq
