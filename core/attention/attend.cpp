#include "attend.hpp"

#include <algorithm>
#include <optional>

#include "attend_task.hpp"

namespace tq {
namespace {

// An item alone has to keep many threads busy: with few tasks its tiles are smaller, and a long context is cut into
// ranges. That depends on the item only, never on the number of threads or the rest of the batch, and so do the bits of
// the result.
constexpr std::size_t kEnoughTasks = 32;
constexpr std::size_t kFewTasksRows = 128;
constexpr std::size_t kRangeSegments = 128;  // at least; preparing queries and merging cost about 2 % of that
constexpr std::size_t kMostHeads = 8;

// Query rows of a kv head.
std::size_t row_count(const AttendOptions& options, const AttendJob& job) {
  return job.n_query * (options.q_heads / job.layer->options().kv_heads);
}

std::size_t tile_rows(const AttendOptions& options, const AttendJob& job) {
  const std::size_t rows = row_count(options, job), kv_heads = job.layer->options().kv_heads;
  std::size_t most = kernels().most_rows;
  while (most > kFewTasksRows && rows / most * kv_heads < kEnoughTasks) most /= 2;
  return most;
}

std::size_t tile_count(const AttendOptions& options, const AttendJob& job) {
  const std::size_t rows = tile_rows(options, job);
  return (row_count(options, job) + rows - 1) / rows;
}

std::size_t most_rows(const AttendOptions& options, const AttendJob& job) {
  return std::min(tile_rows(options, job), row_count(options, job));
}

std::size_t partial_floats(const AttendOptions& options, const AttendJob& job) {
  return most_rows(options, job) * RowTile::row_floats(*job.layer);
}

// Consecutive tiles of an item on their way through the context together. The blocks of all kv heads lie side by side, and
// what a processor fetches ahead beyond the block of one head belongs to the next: nothing of it is wasted if that
// follows before it is forgotten.
class TileGroup {
 public:
  TileGroup(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t first,
            std::size_t count)
      : job_(job), count_(count) {
    const TileLayout layout(*job.layer, most_rows(options, job));
    const std::size_t floats = count * layout.kept + layout.scratch;
    if (floats > kInline) allocated_ = Buffer<float>(allocator, floats);
    float* memory = floats > kInline ? allocated_.data() : inline_;
    float* scratch = memory + count * layout.kept;
    const std::size_t tiles = tile_count(options, job), rows = tile_rows(options, job);
    for (std::size_t i = 0; i < count; ++i, memory += layout.kept) {
      const std::size_t row = (first + i) % tiles * rows, end = std::min(row + rows, row_count(options, job));
      tasks_[i].emplace(options, job, (first + i) / tiles, row, end - row, memory, scratch);
      tasks_[i]->load_queries();
    }
  }

  // The segments first .. end - 1, and after the last one the new tokens.
  void attend(std::size_t first, std::size_t end) {
    while (first < end) {
      std::size_t next = end;
      for_each([&](AttendTask& task, std::size_t) { next = task.add_segments(first, end); });
      first = next;
    }
    if (end == job_.segment_count) for_each([](AttendTask& task, std::size_t) { task.add_fresh(); });
  }

  // body(task, its place in the group)
  template <class Body>
  void for_each(Body body) {
    for (std::size_t i = 0; i < count_; ++i) body(*tasks_[i], i);
  }

 private:
  static constexpr std::size_t kInline = 7168;  // floats that need no allocation: four rows of head_dim 128, or more

  const AttendJob& job_;
  std::size_t count_;
  Buffer<float> allocated_;
  alignas(kAlignment) float inline_[kInline];
  std::optional<AttendTask> tasks_[kMostHeads];
};

}  // namespace

std::size_t attend_tiles(const AttendOptions& options, const AttendJob& job) {
  return job.layer->options().kv_heads * tile_count(options, job);
}

std::size_t attend_ranges(const AttendOptions& options, const AttendJob& job) {
  const std::size_t tiles = std::max<std::size_t>(attend_tiles(options, job), 1);
  const std::size_t wanted = (kEnoughTasks + tiles - 1) / tiles;
  return std::max<std::size_t>(1, std::min(wanted, job.segment_count / kRangeSegments));
}

std::size_t attend_heads(const AttendOptions& options, const AttendJob& job) {
  const bool worthwhile = row_count(options, job) <= kMaxRows && job.segment_count > kRunBlocks;
  return worthwhile ? std::min<std::size_t>(kMostHeads, job.layer->options().kv_heads) : 1;
}

std::size_t attend_tasks(const AttendOptions& options, const AttendJob& job) {
  return (attend_tiles(options, job) + job.heads - 1) / job.heads * job.ranges;
}

std::size_t attend_scratch(const AttendOptions& options, const AttendJob& job) {
  return job.ranges == 1 ? 0 : attend_tiles(options, job) * job.ranges * partial_floats(options, job);
}

void run_attend_task(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t task) {
  const std::size_t range = task % job.ranges, first = task / job.ranges * job.heads;
  TileGroup tiles(allocator, options, job, first, std::min(job.heads, attend_tiles(options, job) - first));
  tiles.attend(job.segment_count * range / job.ranges, job.segment_count * (range + 1) / job.ranges);
  tiles.for_each([&](AttendTask& tile, std::size_t i) {
    if (job.ranges == 1) return tile.finish();
    tile.tile().save(job.partials + ((first + i) * job.ranges + range) * partial_floats(options, job));
  });
}

void run_merge_task(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t tile) {
  TileGroup tiles(allocator, options, job, tile, 1);  // its queries tell which hold NaN or infinity
  tiles.for_each([&](AttendTask& work, std::size_t) {
    for (std::size_t range = 0; range < job.ranges; ++range)
      work.tile().merge(job.partials + (tile * job.ranges + range) * partial_floats(options, job));
    work.finish();
  });
}

}  // namespace tq
