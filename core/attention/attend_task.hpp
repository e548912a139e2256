// Attention of a tile of query rows over a range of segments: one kv head, online softmax.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "attend.hpp"
#include "row_places.hpp"
#include "row_tile.hpp"

namespace tq {

inline constexpr float kLog2E = 1.44269504f;
inline constexpr float kLn2 = 0.693147181f;
// Coded blocks that one kernel call takes, and after which another kv head of a group has its turn: few enough for a
// second-level cache; fewer where many rows read them again and again.
inline constexpr std::size_t kRunBlocks = 64, kSharedRunBlocks = 32;
inline constexpr std::size_t kRowsAhead = 4;  // of queries and outputs, from the one in work to the one asked for
inline constexpr float kNothing = -std::numeric_limits<float>::infinity();

class AttendTask {
 public:
  // `memory` and `scratch`: of the tile.
  AttendTask(const AttendOptions& options, const AttendJob& job, std::size_t head, std::size_t first_row,
             std::size_t rows, float* memory, float* scratch)
      : options_(options),
        job_(job),
        layer_(*job.layer),
        head_(head),
        place_(options, job, head, first_row),
        tile_(layer_, rows, memory, scratch) {}

  void load_queries() {
    for (std::size_t row = 0; row < tile_.rows(); ++row) load_query(row);
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

  // The new tokens.
  void add_fresh() {
    if (job_.fresh == nullptr) return;
    const TokenSource& fresh = *job_.fresh;
    const std::size_t seen = place_.visible(tile_.rows() - 1).end - job_.fresh_position;  // by the last row
    for (std::size_t first = 0; first < std::min(fresh.count, seen); first += kBlockTokens)
      add_rows(fresh.key_rows(first, head_), fresh.value_rows(first, head_), job_.fresh_position + first,
               std::min(kBlockTokens, fresh.count - first));
  }

  void finish() {
    for (std::size_t row = 0; row < tile_.rows(); ++row) finish_row(row);
  }

  RowTile& tile() { return tile_; }

 private:
  void load_query(std::size_t row) {
    const std::size_t dim = layer_.options().keys.dim;
    float* query = tile_.query(row);
    if (row + kRowsAhead < tile_.rows()) place_.prefetch<0>(job_.query, row + kRowsAhead, dim);
    kernels().load_rows({place_.at(job_.query, row), job_.query.element, dim}, 1, dim, query);
    tile_.broken(row) = kernels().find_invalid(query, Element::kF32, dim, std::numeric_limits<float>::max()) != dim;
    if (tile_.broken(row)) std::fill(query, query + dim, 0.0f);
    // With a softcap, its kernel changes to base 2.
    kernels().scale_floats(query, dim, options_.softcap > 0 ? options_.scale : options_.scale * kLog2E);
    tile_.prepare(layer_, row);
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

  // Many rows read the tokens many times: then these are converted once, and brought together if they lie far apart.
  void add_rows(RowSource keys, RowSource values, std::size_t position, std::size_t count) {
    const std::size_t key_dim = layer_.options().keys.dim, value_dim = layer_.options().values.dim;
    const float* columns = nullptr;
    if (tile_.rows() > kMaxRows) {
      keys = tile_.expand_keys(keys, count, key_dim);
      values = tile_.expand_values(values, count, value_dim);
      if (tile_.rows() >= kScoredRows) columns = tile_.key_columns(count, key_dim);
    }
    // First all keys, then all values: each in its turn stays in the first-level cache.
    for (std::size_t first = 0; first < tile_.rows(); first += kScoredRows) {
      const std::size_t end = std::min(first + kScoredRows, tile_.rows());
      place_.for_visible_rows(first, end, position, count, [&](std::size_t row, std::size_t rows, std::size_t seen) {
        if (columns != nullptr) {
          kernels().column_scores(columns, seen, key_dim, tile_.query(row), rows, tile_.scores(row));
        } else {
          kernels().row_scores(keys, seen, key_dim, tile_.query(row), rows, tile_.scores(row));
        }
        weigh(row, rows, position, 0, seen);
      });
      place_.for_visible_rows(first, end, position, count, [&](std::size_t row, std::size_t rows, std::size_t seen) {
        kernels().row_values(values, seen, value_dim, tile_.scores(row), rows, tile_.exact_sums(row));
      });
    }
  }

  CodedBlock coded_block(const Segment& segment) const {
    const HeadBlock<const std::uint8_t> block = layer_.head(segment.page, head_);
    const HeadHeader header = layer_.header(segment.page, head_);
    return {block.key_scales, power_of_two(header.key_offset), power_of_two(header.value_offset), header.mean_scale};
  }

  // What a row sees of a segment, as columns of its page.
  VisibleTokens visible_columns(std::size_t row, const Segment& segment) const {
    const VisibleTokens seen = place_.visible_tokens(row, segment.position, segment.count);
    return {segment.row + seen.first, segment.row + seen.end};
  }

  bool all_visible(std::size_t i) const {
    const Segment& segment = job_.segments[i];
    if (segment.capacity != 0 || segment.count != kBlockTokens) return false;
    const Visible oldest = place_.visible(0), newest = place_.visible(tile_.rows() - 1);
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

  // Where many rows see the same blocks, most of them together. Returns how many.
  std::size_t attend_shared(const CodedRun& run) {
    const std::size_t count = kernels().shared_rows(run, tile_.rows());
    if (count != 0) kernels().attend_shared(run, query_rows(0, count), tile_.kernel_memory());
    return count;
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
                 1.0f / static_cast<float>(layer_.key_coder().rotation().block),
                 layer_.centered(),
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
      kernels().attend_run(run, query_rows(row, rows), tile_.kernel_memory());
    }
    return i + count;
  }

  // One side coded, the other in a 16-bit format. The page holds 64 tokens, of which those at row .. row + count - 1
  // belong to the sequence.
  void add_mixed(const Segment& segment) {
    const HeadBlock<const std::uint8_t> block = layer_.head(segment.page, head_);
    const HeadHeader header = layer_.header(segment.page, head_);
    if (layer_.centered())
      rotated_mean(layer_.key_coder(), reinterpret_cast<const std::int8_t*>(block.mean), header.mean_scale,
                   tile_.mean());
    place_.for_visible_rows(0, tile_.rows(), segment.position, segment.count,
                            [&](std::size_t row, std::size_t rows, std::size_t) {
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
                           tile_.scores(row));
      return;
    }
    const CodedSide keys{block.keys, block.key_scales, power_of_two(header.key_offset), block.values, nullptr};
    kernels().coded_scores(shape, keys, tile_.coded(row), rows, tile_.scores(row), kBlockTokens);
    if (!layer_.centered()) return;
    const float inverse = 1.0f / static_cast<float>(layer_.key_coder().rotation().block);
    for (std::size_t r = 0; r < rows; ++r) {
      const float shift = inverse * kernels().dot(tile_.rotated(row + r), tile_.mean(), layer_.key_coder().padded());
      float* scores = tile_.scores(row + r);
      for (std::size_t t = 0; t < kBlockTokens; ++t) scores[t] += shift;
    }
  }

  void block_values(const HeadBlock<const std::uint8_t>& block, const HeadHeader& header, std::size_t row,
                    std::size_t rows) {
    const CodeShape& shape = layer_.value_coder().shape();
    if (layer_.values_coded()) {
      const CodedSide values{block.values, block.value_scales, power_of_two(header.value_offset), block.values,
                             nullptr};
      return kernels().coded_values(shape, values, tile_.scores(row), rows, tile_.rotated_sums(row),
                                    tile_.kernel_memory());
    }
    const Element element = shape.format == Format::kF16 ? Element::kF16 : Element::kBf16;
    kernels().row_values({block.values, element, shape.dim}, kBlockTokens, shape.dim, tile_.scores(row), rows,
                         tile_.exact_sums(row));
  }

  // Scores to softmax weights: column `column` of the 64 is the token at `position`. What a row does not see gets
  // weight 0.
  void weigh(std::size_t row, std::size_t rows, std::size_t position, std::size_t column, std::size_t count) {
    for (std::size_t r = 0; r < rows; ++r) {
      float* scores = tile_.scores(row + r);
      const VisibleTokens seen = place_.visible_tokens(row + r, position, count);
      std::fill(scores, scores + column + seen.first, kNothing);
      std::fill(scores + column + seen.end, scores + kBlockTokens, kNothing);
      if (options_.softcap > 0) cap(scores);
    }
    float changes[kMaxRows];
    kernels().softmax(tile_.scores(row), rows, &tile_.maximum(row), &tile_.sum(row), changes);
    for (std::size_t r = 0; r < rows; ++r)
      if (changes[r] != 1.0f) tile_.rescale(row + r, changes[r]);
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
    if (row + kRowsAhead < tile_.rows()) place_.prefetch<1>(job_.output, row + kRowsAhead, dim);
    if (options_.sink_logits != nullptr) add_sink(row, options_.sink_logits[place_.q_head_of(row)] * kLog2E);
    float* out = tile_.exact_sums(row);
    if (layer_.values_coded()) {
      const SideCoder& coder = layer_.value_coder();
      kernels().unrotate_rows(tile_.rotated_sums(row), 1, coder.rotation(), out);
      out = tile_.rotated_sums(row);
    }
    const float sum = tile_.sum(row);
    kernels().scale_floats(out, dim, sum > 0 ? 1.0f / sum : 0.0f);
    if (tile_.broken(row)) std::fill(out, out + dim, std::numeric_limits<float>::quiet_NaN());
    kernels().store_rows(out, dim, 1, dim, {place_.at(job_.output, row), job_.output.element, dim});
    if (job_.log_sum_exp == nullptr) return;
    float lse = sum > 0 ? (tile_.maximum(row) + std::log2(sum)) * kLn2 : kNothing;
    if (tile_.broken(row)) lse = std::numeric_limits<float>::quiet_NaN();
    job_.log_sum_exp[place_.query_of(row) * options_.q_heads + place_.q_head_of(row)] = lse;
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
  std::size_t head_;
  RowPlaces place_;
  RowTile tile_;
};

}  // namespace tq
