#include "attention/attend.hpp"

#include <atomic>

#include "handles.hpp"

using namespace tq;
using namespace tq::capi;

namespace {

tq_attend_options default_attend_options() {
  tq_attend_options options{};
  options.query_dtype = TQ_F32;
  options.output_dtype = TQ_F32;
  options.causal = 1;
  return options;
}

AttendOptions checked(const tq_attend_options& given, const Layer& layer) {
  const std::uint32_t kv_heads = layer.options().kv_heads;
  if (given.q_heads == 0 || given.q_heads % kv_heads != 0)
    invalid("q_heads is %u; expected a multiple of the layer's kv_heads, %u", given.q_heads, kv_heads);
  check_flag(given.causal, "causal");
  if (!std::isfinite(given.scale)) invalid("scale is %g; expected a finite number", static_cast<double>(given.scale));
  if (!(given.softcap >= 0) || !std::isfinite(given.softcap))
    invalid("softcap is %g; expected 0 or a positive number", static_cast<double>(given.softcap));
  if (given.pool != nullptr && given.parallel_for != nullptr) invalid("pool and parallel_for: give only one of them");
  const float scale = given.scale != 0 ? given.scale : 1.0f / std::sqrt(static_cast<float>(layer.options().keys.dim));
  return {given.q_heads, given.causal != 0, scale, given.softcap, given.sink_logits};
}

// A cache of more bytes does not stay in a processor's caches from one call to the next.
constexpr std::uint64_t kFarBytes = 32 << 20;

// The items of a call, checked, with all that their tasks refer to.
class Batch {
 public:
  Batch(const Cache& cache, const tq_attend_options& given, const tq_attend_item* items, std::size_t count)
      : cache_(cache),
        given_(given),
        layer_(layer_of(cache, given.layer)),
        options_(checked(given, layer_)),
        jobs_(cache.allocator(), count),
        fresh_(cache.allocator(), count),
        cached_(cache.allocator(), count),
        starts_(cache.allocator(), count + 1),
        merge_starts_(cache.allocator(), count + 1),
        first_segment_(cache.allocator(), count + 1) {
    const auto* at = reinterpret_cast<const char*>(items);
    options_.far = cache.account().bytes() > kFarBytes;
    first_segment_[0] = 0;
    for (std::size_t i = 0; i < count; ++i, at += items->struct_size) {
      const auto* item = reinterpret_cast<const tq_attend_item*>(at);
      if (item->struct_size != items->struct_size) {
        invalid("items[%zu]: struct_size is %u, but that of items[0] is %u", i, item->struct_size, items->struct_size);
      }
      tq_attend_item defaults{};
      add(i, read_struct(item, "items", defaults));
    }
    segments_ = Buffer<Segment>(cache.allocator(), first_segment_[count]);
    for (std::size_t i = 0; i < count; ++i) fill_segments(i);
    cut_work();
  }

  void run() {
    const Stopwatch watch;
    for_all(starts_[jobs_.size()], [](void* self, std::size_t index) { static_cast<Batch*>(self)->run_task(index); });
    Counters& counters = cache_.counters();
    if (const std::size_t merges = merge_starts_[jobs_.size()]; merges != 0) {
      const Stopwatch merging;
      for_all(merges, [](void* self, std::size_t index) { static_cast<Batch*>(self)->run_merge(index); });
      Counters::add(counters.merge_ns, merging.nanoseconds());
    }
    if (failed_.load()) fail(Status::kOutOfMemory, "no memory for scratch space; outputs are incomplete");
    Counters::add(counters.attend_calls, 1);
    Counters::add(counters.attend_bytes, bytes_read_);
    Counters::add(counters.attend_ns, watch.nanoseconds());
  }

 private:
  // What some query of the item may see of the cache: positions first .. end - 1.
  struct Range {
    std::size_t first, end;
  };

  Range cached_range(const AttendJob& job, const LayerTokens& tokens) const {
    const std::size_t window = layer_.options().window;
    const std::size_t first = window != 0 && job.first_position + 1 > window ? job.first_position + 1 - window : 0;
    return {std::min(first, tokens.length()), tokens.length()};
  }

  void add(std::size_t i, const tq_attend_item& item) {
    if (item.reserved != 0) invalid("items[%zu]: reserved is %u; expected 0", i, item.reserved);
    const LayerTokens& tokens = cache_.sequence(item.sequence).layer(given_.layer);
    cached_[i] = &tokens;
    const LayerOptions& layer = layer_.options();
    AttendJob& job = *new (&jobs_[i]) AttendJob{};
    job.layer = &layer_;
    job.element = tokens.element();
    job.n_query = item.n_query;
    const Strides query = strides_from(item.query_token_stride, item.query_head_stride, item.n_query, given_.q_heads,
                                       layer.keys.dim, "query strides");
    const Strides output = strides_from(item.output_token_stride, item.output_head_stride, item.n_query, given_.q_heads,
                                        layer.values.dim, "output strides");
    if (item.n_query != 0) {
      require(item.query, "query");
      require(item.output, "output");
    }
    job.query = {const_cast<void*>(item.query), element_from(given_.query_dtype, "query_dtype"), query.token,
                 query.head};
    job.output = {item.output, element_from(given_.output_dtype, "output_dtype"), output.token, output.head};
    job.log_sum_exp = item.log_sum_exp;
    place(i, item, tokens, job);
    const Range range = cached_range(job, tokens);
    if (item.n_query != 0 && range.first < range.end && range.first < tokens.first_held(layer_)) {
      invalid("items[%zu]: query 0 stands at %zu and sees position %zu, but the window has released all before %zu", i,
              job.first_position, range.first, tokens.first_held(layer_));
    }
    first_segment_[i + 1] = first_segment_[i] + tokens.count_segments(layer_, range.first, range.end);
  }

  // Tasks of all items, and memory for those whose context is cut into ranges.
  void cut_work() {
    starts_[0] = merge_starts_[0] = 0;
    std::size_t floats = 0, smallest_tasks = 0;
    for (AttendJob& job : jobs_) {
      job.ranges = attend_ranges(options_, job);
      smallest_tasks += attend_tiles(options_, job) * job.ranges;
    }
    const std::size_t most_heads = std::max<std::size_t>(1, smallest_tasks / wanted_tasks());
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      AttendJob& job = jobs_[i];
      job.heads = std::min(most_heads, attend_heads(options_, job));
      starts_[i + 1] = starts_[i] + attend_tasks(options_, job);
      merge_starts_[i + 1] = merge_starts_[i] + (job.ranges > 1 ? attend_tiles(options_, job) : 0);
      floats += attend_scratch(options_, job);
    }
    partials_ = Buffer<float>(cache_.allocator(), floats);
    float* next = partials_.data();
    for (AttendJob& job : jobs_) {
      job.partials = next;
      next += attend_scratch(options_, job);
    }
  }

  // Enough to keep all threads busy until the end. How many a parallel-for has nobody knows.
  std::size_t wanted_tasks() const {
    constexpr std::size_t per_thread = 4;
    if (given_.parallel_for != nullptr) return SIZE_MAX;
    return given_.pool != nullptr ? per_thread * given_.pool->pool.threads() : 1;
  }

  template <class Task>
  void for_all(std::size_t count, Task task) {
    if (given_.parallel_for != nullptr) {
      given_.parallel_for(given_.parallel_user, count, task, this);
    } else if (given_.pool != nullptr) {
      given_.pool->pool.run(count, task, this);
    } else {
      for (std::size_t i = 0; i < count; ++i) task(this, i);
    }
  }

  // Where the queries stand, and the new tokens if there are any.
  void place(std::size_t i, const tq_attend_item& item, const LayerTokens& tokens, AttendJob& job) {
    if (item.new_tokens == nullptr) {
      if (item.n_query > tokens.length() && options_.causal) {
        invalid("items[%zu]: n_query is %zu, but the sequence has only %zu tokens (new_tokens is NULL)", i,
                item.n_query, tokens.length());
      }
      job.first_position = tokens.length() - std::min(item.n_query, tokens.length());
      return;
    }
    fresh_[i] = tokens_from(item.new_tokens, layer_, "new_tokens");
    if (fresh_[i].count != item.n_query) {
      invalid("items[%zu]: new_tokens holds %zu tokens, but n_query is %zu", i, fresh_[i].count, item.n_query);
    }
    check_tokens(layer_, fresh_[i], fresh_[i].element);
    job.fresh = &fresh_[i];
    job.first_position = job.fresh_position = tokens.length();
  }

  void fill_segments(std::size_t i) {
    AttendJob& job = jobs_[i];
    const LayerTokens& tokens = *cached_[i];
    const Range range = cached_range(job, tokens);
    Segment* out = segments_.data() + first_segment_[i];
    job.segments = out;
    job.segment_count = first_segment_[i + 1] - first_segment_[i];
    std::size_t bytes = 0;
    tokens.for_segments(layer_, range.first, range.end, [&](const Segment& segment) {
      bytes += segment_bytes(segment);
      *out++ = segment;
    });
    bytes_read_ += bytes * attend_tiles(options_, job) / layer_.options().kv_heads;
  }

  std::size_t segment_bytes(const Segment& segment) const {
    const LayerOptions& layer = layer_.options();
    if (segment.capacity == 0) return layer_.layout().page_bytes;
    return segment.count * layer.kv_heads * (layer.keys.dim + layer.values.dim) * 2;
  }

  void run_task(std::size_t index) noexcept { run_part(starts_, index, run_attend_task); }
  void run_merge(std::size_t index) noexcept { run_part(merge_starts_, index, run_merge_task); }

  // Runs `part` of the item that task `index` of all belongs to.
  template <class Part>
  void run_part(const Buffer<std::size_t>& starts, std::size_t index, Part part) noexcept {
    const std::size_t* begin = starts.data();
    const auto i = static_cast<std::size_t>(std::upper_bound(begin, begin + starts.size(), index) - begin) - 1;
    try {
      part(cache_.allocator(), options_, jobs_[i], index - starts[i]);
    } catch (...) {
      failed_.store(true);
    }
  }

  const Cache& cache_;
  const tq_attend_options& given_;
  const Layer& layer_;
  AttendOptions options_;
  Buffer<AttendJob> jobs_;
  Buffer<TokenSource> fresh_;          // new tokens of each item, where it has some
  Buffer<const LayerTokens*> cached_;  // of each item
  Buffer<std::size_t> starts_;         // first task of each item
  Buffer<std::size_t> merge_starts_;   // first merge task of each item
  Buffer<std::size_t> first_segment_;  // of each item
  Buffer<Segment> segments_;
  Buffer<float> partials_;
  std::size_t bytes_read_ = 0;
  std::atomic<bool> failed_{false};
};

}  // namespace

extern "C" {

void tq_attend_options_init(tq_attend_options* options, uint32_t struct_size) {
  write_defaults(options, struct_size, default_attend_options());
}
void tq_attend_item_init(tq_attend_item* item, uint32_t struct_size) {
  write_defaults(item, struct_size, tq_attend_item{});
}

tq_status tq_attend(const tq_cache* cache, const tq_attend_options* options, const tq_attend_item* items, size_t count,
                    tq_error* err) {
  return guarded(err, [&] {
    const Cache& own = require(cache, "cache")->cache;
    const tq_attend_options given = read_struct(options, "options", default_attend_options());
    if (count != 0) require(items, "items");
    Batch(own, given, items, count).run();
  });
}

}  // extern "C"
