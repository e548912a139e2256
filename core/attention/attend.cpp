#include "attend.hpp"

#include <algorithm>

#include "attend_task.hpp"

namespace tq {
namespace {

// An item alone has to keep many threads busy: with few tasks its tiles are smaller, and a long context is cut into
// ranges. That depends on the item only, never on the number of threads or the rest of the batch, and so do the bits of
// the result.
constexpr std::size_t kEnoughTasks = 32;
constexpr std::size_t kFewTasksRows = 128;
constexpr std::size_t kRangeSegments = 128;  // at least; preparing queries and merging cost about 2 % of that

// Query rows of a kv head.
std::size_t row_count(const AttendOptions& options, const AttendJob& job) {
  return job.n_query * (options.q_heads / job.layer->options().kv_heads);
}

std::size_t tile_rows(const AttendOptions& options, const AttendJob& job) {
  const std::size_t rows = row_count(options, job);
  const bool enough = rows / kTaskRows * job.layer->options().kv_heads >= kEnoughTasks;
  return enough ? kTaskRows : kFewTasksRows;
}

std::size_t tile_count(const AttendOptions& options, const AttendJob& job) {
  const std::size_t rows = tile_rows(options, job);
  return (row_count(options, job) + rows - 1) / rows;
}

// Tile `index` of an item: a kv head and up to tile_rows of its rows.
AttendTask make_task(const Allocator& allocator, const AttendOptions& options, const AttendJob& job,
                     std::size_t index) {
  const std::size_t tiles = tile_count(options, job), rows = tile_rows(options, job);
  const std::size_t first = index % tiles * rows;
  return {allocator, options, job, index / tiles, first, std::min(rows, row_count(options, job) - first)};
}

std::size_t partial_floats(const AttendOptions& options, const AttendJob& job) {
  return std::min(tile_rows(options, job), row_count(options, job)) * RowTile::row_floats(*job.layer);
}

}  // namespace

std::size_t attend_tiles(const AttendOptions& options, const AttendJob& job) {
  return job.layer->options().kv_heads * tile_count(options, job);
}

std::size_t attend_ranges(const AttendOptions& options, const AttendJob& job) {
  const std::size_t tiles = std::max<std::size_t>(attend_tiles(options, job), 1);
  const std::size_t wanted = (kEnoughTasks + tiles - 1) / tiles;
  return std::max<std::size_t>(1, std::min(wanted, job.segment_count / kRangeSegments));
}

std::size_t attend_scratch(const AttendOptions& options, const AttendJob& job) {
  return job.ranges == 1 ? 0 : attend_tiles(options, job) * job.ranges * partial_floats(options, job);
}

void run_attend_task(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t task) {
  const std::size_t range = task % job.ranges;
  AttendTask work = make_task(allocator, options, job, task / job.ranges);
  work.load_queries();
  work.attend(job.segment_count * range / job.ranges, job.segment_count * (range + 1) / job.ranges);
  if (job.ranges == 1) return work.finish();
  work.tile().save(job.partials + task * partial_floats(options, job));
}

void run_merge_task(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t tile) {
  AttendTask work = make_task(allocator, options, job, tile);
  work.load_queries();  // tells which hold NaN or infinity
  for (std::size_t range = 0; range < job.ranges; ++range)
    work.tile().merge(job.partials + (tile * job.ranges + range) * partial_floats(options, job));
  work.finish();
}

}  // namespace tq
