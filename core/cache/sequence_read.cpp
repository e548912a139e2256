#include <algorithm>

#include "sequence.hpp"

namespace tq {
namespace {

// All heads of 16 tokens before the next 16: the caller's rows of one token lie side by side, and a few pages at a time
// are written from end to end. `means`: scratch memory of a padded row for each head.
void read_coded(const Layer& layer, const Segment& segment, const TokenTarget& target, std::size_t at, float* means,
                CoderScratch& scratch) {
  const std::size_t heads = layer.options().kv_heads, padded = padded_dim(layer.largest_dim());
  if (target.keys != nullptr)
    for (std::size_t head = 0; head < heads; ++head) layer.mean_key(segment.page, head, means + head * padded);
  for (std::size_t done = 0, count = 0; done < segment.count; done += count) {
    const std::size_t row = segment.row + done;
    count = std::min(kTile - row % kTile, segment.count - done);
    for (std::size_t head = 0; head < heads; ++head)
      layer.decode_keys(segment.page, head, row, count, means + head * padded, target.key_rows(at + done, head),
                        scratch);
    for (std::size_t head = 0; head < heads; ++head)
      layer.decode_values(segment.page, head, row, count, target.value_rows(at + done, head), scratch);
  }
}

}  // namespace

void LayerTokens::read(const Allocator& allocator, const Layer& layer, std::size_t first, std::size_t count,
                       const TokenTarget& target) const {
  CoderScratch scratch(allocator, layer.largest_dim());
  Buffer<float> means(allocator, layer.options().kv_heads * padded_dim(layer.largest_dim()));
  const std::size_t key_dim = layer.options().keys.dim, value_dim = layer.options().values.dim;
  for_segments(layer, first, first + count, [&](const Segment& segment) {
    const std::size_t at = segment.position - first;
    if (segment.capacity == 0) return read_coded(layer, segment, target, at, means.data(), scratch);
    for (std::size_t head = 0; head < layer.options().kv_heads; ++head) {
      const RowTarget keys = target.key_rows(at, head), values = target.value_rows(at, head);
      const auto copy = [&](const std::uint8_t* rows, std::size_t dim, const RowTarget& to) {
        if (to.data == nullptr) return;
        kernels().convert_rows({rows + segment.row * dim * 2, element_, dim}, segment.count, dim, to);
      };
      copy(layer.exact_keys(segment.page, segment.capacity, head), key_dim, keys);
      copy(layer.exact_values(segment.page, segment.capacity, head), value_dim, values);
    }
  });
}

}  // namespace tq
