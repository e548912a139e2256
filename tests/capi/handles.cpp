#include "handles.hpp"

#include <cstring>

namespace tq_test {

tq_codec_options codec_options(std::uint32_t head_dim, tq_format format, std::uint32_t group_size,
                               std::uint32_t layout) {
  tq_codec_options options;
  tq_codec_options_init(&options, sizeof options);
  options.head_dim = head_dim;
  options.format = format;
  options.group_size = group_size;
  options.layout = layout;
  return options;
}

Codec::Codec(const tq_codec_options& options) : head_dim_(options.head_dim) {
  Error error;
  EXPECT_TQ_OK(tq_codec_create(&options, &codec_, &error), error);
}

Bytes Codec::encode(const Elements& vectors, std::size_t count, std::size_t stride) const {
  Error error;
  Bytes codes(tq_codec_encoded_bytes(codec_, count), 0xEE);
  EXPECT_TQ_OK(tq_encode(codec_, vectors.data(), vectors.dtype(), stride, count, codes.data(), codes.size(), &error),
               error);
  return codes;
}

Bytes Codec::encode(const std::vector<float>& vectors) const {
  return encode(Elements(TQ_F32, vectors), vectors.size() / head_dim_);
}

std::vector<float> Codec::decode(const Bytes& codes, std::size_t first, std::size_t count) const {
  Error error;
  std::vector<float> vectors(count * head_dim_, -77.0f);
  EXPECT_TQ_OK(tq_decode(codec_, codes.data(), codes.size(), first, count, vectors.data(), TQ_F32, 0, &error), error);
  return vectors;
}

tq_layer_options layer_options(const Shape& shape) {
  tq_layer_options options;
  tq_layer_options_init(&options, sizeof options);
  options.kv_heads = shape.kv_heads;
  options.key_dim = shape.key_dim;
  options.value_dim = shape.value_dim;
  return options;
}

Cache::Cache(const std::vector<tq_layer_options>& layers, std::uint64_t byte_budget) : layers_(layers) {
  Error error;
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  options.layer_count = static_cast<std::uint32_t>(layers.size());
  options.layers = layers.data();
  options.byte_budget = byte_budget;
  EXPECT_TQ_OK(tq_cache_create(&options, &cache_, &error), error);
}

Shape Cache::shape(std::uint32_t layer) const {
  const tq_layer_options& options = layers_.at(layer);
  return {options.kv_heads, options.key_dim, options.value_dim == 0 ? options.key_dim : options.value_dim};
}

tq_sequence Cache::sequence() const {
  Error error;
  tq_sequence sequence = 0;
  EXPECT_TQ_OK(tq_sequence_create(cache_, &sequence, &error), error);
  EXPECT_NE(sequence, 0u);
  return sequence;
}

tq_sequence Cache::fork(tq_sequence sequence) const {
  Error error;
  tq_sequence copy = 0;
  EXPECT_TQ_OK(tq_sequence_fork(cache_, sequence, &copy, &error), error);
  EXPECT_NE(copy, 0u);
  EXPECT_NE(copy, sequence);
  return copy;
}

void Cache::truncate(tq_sequence sequence, std::size_t length) const {
  Error error;
  EXPECT_TQ_OK(tq_sequence_truncate(cache_, sequence, length, &error), error);
}

void Cache::destroy(tq_sequence sequence) const {
  Error error;
  EXPECT_TQ_OK(tq_sequence_destroy(cache_, sequence, &error), error);
}

void Cache::append(tq_sequence sequence, const Tokens& tokens, tq_dtype dtype, std::uint32_t layer) const {
  Error error;
  const KvInput input(tokens, dtype);
  EXPECT_TQ_OK(tq_cache_append(cache_, sequence, layer, input.get(), &error), error);
}

std::size_t Cache::length(tq_sequence sequence, std::uint32_t layer) const {
  Error error;
  std::size_t length = ~std::size_t{0};
  EXPECT_TQ_OK(tq_sequence_length(cache_, sequence, layer, &length, &error), error);
  return length;
}

Tokens Cache::read(tq_sequence sequence, std::size_t first, std::size_t count, std::uint32_t layer) const {
  Error error;
  KvOutput output(shape(layer), count, TQ_F32);
  EXPECT_TQ_OK(tq_cache_read(cache_, sequence, layer, first, count, output.get(), &error), error);
  return output.tokens();
}

Tokens Cache::read(tq_sequence sequence, std::uint32_t layer) const {
  return read(sequence, 0, length(sequence, layer), layer);
}

tq_cache_statistics Cache::stats() const {
  Error error;
  tq_cache_statistics stats;
  tq_cache_statistics_init(&stats, sizeof stats);
  EXPECT_TQ_OK(tq_cache_stats(cache_, &stats, &error), error);
  return stats;
}

Pool::Pool(std::uint32_t threads) {
  Error error;
  EXPECT_TQ_OK(tq_pool_create(threads, &pool_, &error), error);
}

std::uint64_t empty_bytes(const Cache& cache, std::size_t sequences) {
  std::vector<tq_sequence> all;
  for (std::size_t i = 0; i < sequences; ++i) all.push_back(cache.sequence());
  for (const tq_sequence sequence : all) cache.destroy(sequence);
  return cache.stats().bytes;
}

Snapshot snapshot(const Cache& cache, const std::vector<tq_sequence>& sequences, std::uint32_t layers) {
  Snapshot result{cache.stats(), {}};
  for (const tq_sequence sequence : sequences) {
    auto& rows = result.rows.emplace_back();
    for (std::uint32_t layer = 0; layer < layers; ++layer) rows.push_back(cache.read(sequence, layer));
  }
  return result;
}

testing::AssertionResult same(const Snapshot& before, const Snapshot& after) {
  tq_cache_statistics a = before.stats, b = after.stats;
  a.peak_bytes = b.peak_bytes = 0;
  for (tq_cache_statistics* stats : {&a, &b})  // attention counts, too
    stats->attend_calls = stats->attend_ns = stats->attend_bytes = stats->merge_ns = 0;
  if (std::memcmp(&a, &b, sizeof a) != 0)
    return testing::AssertionFailure() << "statistics changed: bytes " << a.bytes << " -> " << b.bytes << ", tokens "
                                       << a.tokens << " -> " << b.tokens << ", overhead " << a.overhead_bytes << " -> "
                                       << b.overhead_bytes;
  for (std::size_t s = 0; s < before.rows.size(); ++s)
    for (std::size_t layer = 0; layer < before.rows[s].size(); ++layer)
      if (!(before.rows[s][layer] == after.rows[s][layer]))
        return testing::AssertionFailure() << "rows of sequence " << s << ", layer " << layer << " changed";
  return testing::AssertionSuccess();
}

testing::AssertionResult refused(tq_status status, const tq_error& error, tq_status expected, const std::string& name,
                                 const std::string& value) {
  const std::string message = error.message;
  if (status != expected)
    return testing::AssertionFailure() << tq_status_name(status) << " instead of " << tq_status_name(expected)
                                       << "; message: " << message;
  if (error.status != expected) return testing::AssertionFailure() << "err->status is " << error.status;
  for (const std::string& part : {name, value})
    if (message.find(part) == std::string::npos)
      return testing::AssertionFailure() << "'" << part << "' is missing in the message: " << message;
  return testing::AssertionSuccess();
}

}  // namespace tq_test
