// Inputs and outputs that end right before, or begin right behind, memory that must not be touched; and buffers at
// every offset from a cache line.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "handles.hpp"

namespace tq_test {
namespace {

enum class Edge { kEnd, kBegin };  // of the accessible pages, where the buffer touches the forbidden one

// `bytes` bytes with a page without access before and after.
class Guarded {
 public:
  Guarded(std::size_t bytes, Edge edge) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (bytes + page - 1) / page * page + (bytes == 0 ? page : 0);
    total_ = inner + 2 * page;
    base_ = static_cast<std::uint8_t*>(mmap(nullptr, total_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + page, inner, PROT_READ | PROT_WRITE) != 0)
      throw std::runtime_error("cannot map guarded memory");
    data_ = base_ + page + (edge == Edge::kEnd ? inner - bytes : 0);
  }
  Guarded(const Elements& contents, Edge edge) : Guarded(contents.bytes().size(), edge) {
    std::memcpy(data_, contents.data(), contents.bytes().size());
  }
  Guarded(const Bytes& contents, Edge edge) : Guarded(contents.size(), edge) {
    std::memcpy(data_, contents.data(), contents.size());
  }
  ~Guarded() { munmap(base_, total_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  void* data() const { return data_; }

 private:
  std::uint8_t* base_;
  std::uint8_t* data_;
  std::size_t total_;
};

constexpr std::uint32_t kOddDims[] = {1, 2, 3, 7, 8, 15, 17, 31, 33, 40, 63, 64, 65, 80, 100, 127, 128, 129, 200};
constexpr tq_dtype kTypes[] = {TQ_F32, TQ_F16, TQ_BF16};

void check_codec(const tq_codec_options& options, std::size_t count, tq_dtype dtype, Edge edge) {
  SCOPED_TRACE(testing::Message() << "format " << options.format << ", layout " << options.layout << ", dim "
                                  << options.head_dim << ", count " << count << ", " << dtype_name(dtype) << ", at the "
                                  << (edge == Edge::kEnd ? "end" : "begin"));
  const Codec codec(options);
  Random random(options.head_dim);
  const Elements vectors(dtype, gaussian(random, count * options.head_dim));
  const Bytes expected = codec.encode(vectors, count);
  const Guarded input(vectors, edge), codes(expected.size(), edge);
  Error error;
  EXPECT_TQ_OK(tq_encode(codec, input.data(), dtype, 0, count, codes.data(), expected.size(), &error), error);
  EXPECT_EQ(std::memcmp(codes.data(), expected.data(), expected.size()), 0);

  const std::vector<float> decoded = codec.decode(expected, 0, count);
  const Elements expected_vectors(dtype, decoded);
  const Guarded output(vectors.bytes().size(), edge);
  EXPECT_TQ_OK(tq_decode(codec, codes.data(), expected.size(), 0, count, output.data(), dtype, 0, &error), error);
  EXPECT_EQ(std::memcmp(output.data(), expected_vectors.data(), expected_vectors.bytes().size()), 0);

  const std::size_t n_query = 3;
  const Guarded queries(Elements(TQ_F32, gaussian(random, n_query * options.head_dim)), edge);
  const Guarded scores(n_query * count * sizeof(float), edge);
  EXPECT_TQ_OK(tq_scores(codec, codes.data(), expected.size(), count, static_cast<const float*>(queries.data()),
                         n_query, static_cast<float*>(scores.data()), &error),
               error);
  EXPECT_TQ_OK(tq_rotate(codec, static_cast<float*>(queries.data()), n_query, &error), error);
  EXPECT_TQ_OK(tq_unrotate(codec, static_cast<float*>(queries.data()), n_query, &error), error);
}

TEST(GuardPages, AreNotTouchedByTheCodec) {
  for (const Edge edge : {Edge::kEnd, Edge::kBegin})
    for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16})
      for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS})
        for (const std::uint32_t dim : kOddDims)
          for (const tq_dtype dtype : kTypes)
            check_codec(codec_options(dim, format, 64, layout), 3 + dim % 3 * 31, dtype, edge);
}

TEST(GuardPages, AreNotTouchedByTheTransform) {
  for (const Edge edge : {Edge::kEnd, Edge::kBegin})
    for (std::size_t size = 1; size <= 1024; size *= 2)
      for (const std::size_t count : {1, 3}) {
        Random random(size);
        const Guarded data(Elements(TQ_F32, gaussian(random, size * count)), edge);
        EXPECT_EQ(tq_fwht(static_cast<float*>(data.data()), size, count, nullptr), TQ_OK);
      }
}

// Appends, reads and attends with every buffer guarded and compares with ordinary buffers.
void check_cache(const Shape& shape, tq_format format, tq_dtype dtype, Edge edge) {
  SCOPED_TRACE(testing::Message() << shape.kv_heads << " heads of " << shape.key_dim << " and " << shape.value_dim
                                  << ", format " << format << ", " << dtype_name(dtype) << ", at the "
                                  << (edge == Edge::kEnd ? "end" : "begin"));
  constexpr std::size_t kCount = 75;
  tq_layer_options options = layer_options(shape);
  options.key_format = options.value_format = format;
  const Cache cache(options);
  Random random(shape.key_dim);
  KvInput input(random_tokens(random, shape, kCount), dtype);
  const Guarded keys(input.keys(), edge), values(input.values(), edge);
  tq_kv kv = *input.get();
  kv.keys = keys.data();
  kv.values = values.data();
  const tq_sequence sequence = cache.sequence(), expected = cache.sequence();
  Error error;
  EXPECT_TQ_OK(tq_cache_append(cache, sequence, 0, &kv, &error), error);
  EXPECT_TQ_OK(tq_cache_append(cache, expected, 0, input.get(), &error), error);
  EXPECT_TRUE(cache.read(sequence) == cache.read(expected));

  const Tokens rows = rounded(cache.read(expected), dtype);
  const Elements key_rows(dtype, rows.keys), value_rows(dtype, rows.values);
  const Guarded keys_out(key_rows.bytes().size(), edge), values_out(value_rows.bytes().size(), edge);
  tq_kv_out out;
  tq_kv_out_init(&out, sizeof out);
  out.dtype = dtype;
  out.keys = keys_out.data();
  out.values = values_out.data();
  EXPECT_TQ_OK(tq_cache_read(cache, sequence, 0, 0, kCount, &out, &error), error);
  EXPECT_EQ(std::memcmp(keys_out.data(), key_rows.data(), key_rows.bytes().size()), 0);
  EXPECT_EQ(std::memcmp(values_out.data(), value_rows.data(), value_rows.bytes().size()), 0);

  const std::size_t q_heads = shape.kv_heads * 3, n_query = 2;
  const Elements query(dtype, gaussian(random, n_query * q_heads * shape.key_dim));
  const Elements plain_output(dtype, n_query * q_heads * shape.value_dim);
  std::vector<float> plain_lse(n_query * q_heads);
  const Guarded guarded_query(query, edge), output(plain_output.bytes().size(), edge),
      lse(plain_lse.size() * sizeof(float), edge);
  KvInput fresh(random_tokens(random, shape, n_query), dtype);
  const Guarded fresh_keys(fresh.keys(), edge), fresh_values(fresh.values(), edge);
  tq_kv fresh_kv = *fresh.get();
  fresh_kv.keys = fresh_keys.data();
  fresh_kv.values = fresh_values.data();
  tq_attend_options attend;
  tq_attend_options_init(&attend, sizeof attend);
  attend.q_heads = static_cast<std::uint32_t>(q_heads);
  attend.query_dtype = attend.output_dtype = dtype;
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence;
  item.n_query = n_query;
  item.query = guarded_query.data();
  item.output = output.data();
  item.log_sum_exp = static_cast<float*>(lse.data());
  item.new_tokens = &fresh_kv;
  EXPECT_TQ_OK(tq_attend(cache, &attend, &item, 1, &error), error);
  Elements expected_output = plain_output;
  item.query = query.data();
  item.output = expected_output.data();
  item.log_sum_exp = plain_lse.data();
  item.new_tokens = fresh.get();
  EXPECT_TQ_OK(tq_attend(cache, &attend, &item, 1, &error), error);
  EXPECT_EQ(std::memcmp(output.data(), expected_output.data(), expected_output.bytes().size()), 0);
  EXPECT_EQ(std::memcmp(lse.data(), plain_lse.data(), plain_lse.size() * sizeof(float)), 0);
}

TEST(GuardPages, AreNotTouchedByTheCache) {
  for (const Edge edge : {Edge::kEnd, Edge::kBegin})
    for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16})
      for (const tq_dtype dtype : kTypes)
        for (const std::uint32_t dim : kOddDims) check_cache({2, dim, kOddDims[dim % 19]}, format, dtype, edge);
}

// User buffers need no alignment beyond that of bytes: the same results at every offset.
TEST(Alignment, OfBuffersDoesNotMatter) {
  constexpr std::size_t kDim = 72, kCount = 5;
  Random random(1);
  const std::vector<float> values = eighths(random, kDim * kCount);
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16})
    for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS})
      for (const tq_dtype dtype : kTypes) {
        const Codec codec(codec_options(kDim, format, 64, layout));
        const Elements vectors(dtype, values);
        const Bytes expected = codec.encode(vectors, kCount);
        const Elements decoded(dtype, codec.decode(expected, 0, kCount));
        for (std::size_t offset = 0; offset < 64; ++offset) {
          SCOPED_TRACE(testing::Message() << "format " << format << ", layout " << layout << ", " << dtype_name(dtype)
                                          << ", offset " << offset);
          alignas(64) std::uint8_t in[64 + 4 * kDim * kCount], out[64 + 4 * kDim * kCount];
          Bytes codes(64 + expected.size());
          std::memcpy(in + offset, vectors.data(), vectors.bytes().size());
          Error error;
          EXPECT_TQ_OK(tq_encode(codec, in + offset, dtype, 0, kCount, codes.data() + offset, expected.size(), &error),
                       error);
          ASSERT_EQ(std::memcmp(codes.data() + offset, expected.data(), expected.size()), 0);
          EXPECT_TQ_OK(
              tq_decode(codec, codes.data() + offset, expected.size(), 0, kCount, out + offset, dtype, 0, &error),
              error);
          ASSERT_EQ(std::memcmp(out + offset, decoded.data(), decoded.bytes().size()), 0);
        }
      }
}

}  // namespace
}  // namespace tq_test
