#include "cache.hpp"

namespace tq {
namespace {

// Ends what SequenceTable::begin_write began.
class Writer {
 public:
  explicit Writer(Sequence& sequence) : sequence_(sequence) {}
  ~Writer() { sequence_.writing.store(false, std::memory_order_release); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

 private:
  Sequence& sequence_;
};

}  // namespace

Cache::Cache(const Allocator& allocator, std::uint64_t byte_budget, const LayerOptions* layers, std::size_t count,
             std::size_t given)
    : account_(allocator, byte_budget),
      layer_count_(count),
      given_(given),
      layers_(allocator, given),
      table_(account_) {
  std::size_t made = 0;
  try {
    for (; made < given; ++made) layers_[made] = tq::create<Layer>(allocator, allocator, layers[made]);
  } catch (...) {
    while (made > 0) tq::destroy(allocator, layers_[--made]);
    throw;
  }
}

Cache::~Cache() {
  table_.clear();  // pages refer to layers
  for (std::size_t i = 0; i < given_; ++i) tq::destroy(allocator(), layers_[i]);
}

void Cache::append(std::uint64_t id, std::size_t layer, const TokenSource& source) {
  const Stopwatch watch;
  Sequence& sequence = table_.begin_write(id);
  const Writer writer(sequence);
  LayerTokens& tokens = sequence.layer(layer);
  if (source.count > SIZE_MAX / 2 - tokens.length())
    invalid("count: %zu more tokens after %zu are more than a sequence can hold", source.count, tokens.length());
  if (source.count == 0) return;
  tokens.append(account_, this->layer(layer), source);
  const LayerOptions& options = this->layer(layer).options();
  Counters::add(counters_.append_calls, 1);
  Counters::add(counters_.append_bytes, source.count * options.kv_heads * (options.keys.dim + options.values.dim) *
                                            element_bytes(source.element));
  Counters::add(counters_.append_ns, watch.nanoseconds());
}

void Cache::truncate(std::uint64_t id, std::size_t length) {
  Sequence& sequence = table_.begin_write(id);
  const Writer writer(sequence);
  if (length > sequence.longest())
    invalid("length: %zu, but the longest layer holds %zu tokens", length, sequence.longest());
  const AccountAllocator<PageRef> counted(account_);
  Table<Table<PageRef>> remainders{counted};
  remainders.reserve(layer_count_);
  for (std::size_t i = 0; i < layer_count_; ++i) {
    const LayerTokens& tokens = sequence.layer(i);
    const std::size_t held = tokens.first_held(layer(i)), window = layer(i).options().window;
    const std::size_t needed = length >= window ? length - window + 1 : 0;  // by the next query
    if (length < tokens.length() && length != 0 && held > needed) {
      invalid("length: %zu, but layer %zu has released the tokens before %zu, which its window of %zu needs there",
              length, i, held, window);
    }
    remainders.push_back(tokens.prepare_cut(account_, layer(i), length));
  }
  for (std::size_t i = 0; i < layer_count_; ++i) sequence.layer(i).cut(layer(i), length, remainders[i]);
}

void Cache::read(std::uint64_t id, std::size_t layer, std::size_t first, std::size_t count,
                 const TokenTarget& target) const {
  const LayerTokens& tokens = table_.get(id).layer(layer);
  if (first > tokens.length() || count > tokens.length() - first) {
    invalid("first, count: tokens %zu .. %zu + %zu - 1, but layer %zu holds %zu tokens", first, first, count, layer,
            tokens.length());
  }
  const std::size_t held = tokens.first_held(this->layer(layer));
  if (count != 0 && first < held)
    invalid("first: %zu, but the sliding window of layer %zu has released the tokens before %zu", first, layer, held);
  tokens.read(allocator(), this->layer(layer), first, count, target);
}

}  // namespace tq
