#include "attention_call.hpp"

#include <atomic>
#include <cmath>
#include <thread>

namespace tq_test {
namespace {

constexpr float kSentinel = -77.0f;

Tokens new_tokens_for(Random& random, const Shape& shape, const CallStyle& style, std::size_t n_query) {
  return rounded(random_tokens(random, shape, style.new_tokens ? n_query : 0), style.kv_dtype);
}

std::vector<float> queries_for(Random& random, std::size_t count, float sigma, tq_dtype dtype) {
  std::vector<float> rows = gaussian(random, count, sigma);
  for (float& value : rows) value = rounded(value, dtype);
  return rows;
}

// Half a unit in the last place of the output type, relative and (f16 only) absolute for subnormal results.
double output_rounding(tq_dtype dtype, double norm, std::size_t dim) {
  if (dtype == TQ_F16) return 0x1p-11 * norm + 0x1p-25 * std::sqrt(static_cast<double>(dim));
  return dtype == TQ_BF16 ? 0x1p-8 * norm : 0.0;
}

}  // namespace

tq_attend_options attend_options(const reference::Settings& settings, std::uint32_t layer) {
  tq_attend_options options;
  tq_attend_options_init(&options, sizeof options);
  options.layer = layer;
  options.q_heads = settings.q_heads;
  options.causal = settings.causal ? 1 : 0;
  options.scale = settings.scale;
  options.softcap = settings.softcap;
  options.sink_logits = settings.sink_logits.empty() ? nullptr : settings.sink_logits.data();
  return options;
}

AttendItem::AttendItem(Random& random, const Shape& shape, const CallStyle& style, tq_sequence sequence,
                       std::size_t n_query, float query_sigma)
    : shape_(shape),
      style_(style),
      sequence_(sequence),
      n_query_(n_query),
      query_rows_(
          queries_for(random, n_query * style.settings.q_heads * shape.key_dim, query_sigma, style.query_dtype)),
      query_(style.query_dtype, n_query * token_stride(shape.key_dim)),
      output_(style.output_dtype, n_query * token_stride(shape.value_dim)),
      log_sum_exp_(n_query * style.settings.q_heads, kSentinel),
      new_tokens_(new_tokens_for(random, shape, style, n_query)),
      new_input_(new_tokens_, style.kv_dtype, style.new_layout) {
  query_.fill(1e4f);
  output_.fill(kSentinel);
  for (std::size_t i = 0; i < n_query; ++i)
    for (std::size_t h = 0; h < style.settings.q_heads; ++h)
      for (std::size_t c = 0; c < shape.key_dim; ++c)
        query_.set(i * token_stride(shape.key_dim) + h * row_stride(shape.key_dim) + c,
                   query_rows_[(i * style.settings.q_heads + h) * shape.key_dim + c]);
}

tq_attend_item AttendItem::item() const {
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  // A KvInput points into itself, so after a move of this object its addresses are taken anew.
  new_input_.kv().keys = new_input_.keys().data();
  new_input_.kv().values = new_input_.values().data();
  item.sequence = sequence_;
  item.n_query = n_query_;
  item.query = query_.data();
  item.output = output_.data();
  item.log_sum_exp = style_.log_sum_exp ? log_sum_exp_.data() : nullptr;
  item.new_tokens = style_.new_tokens ? new_input_.get() : nullptr;
  if (style_.strided) {
    item.query_token_stride = token_stride(shape_.key_dim);
    item.query_head_stride = row_stride(shape_.key_dim);
    item.output_token_stride = token_stride(shape_.value_dim);
    item.output_head_stride = row_stride(shape_.value_dim);
  }
  return item;
}

std::vector<float> AttendItem::output() const {
  std::vector<float> rows;
  for (std::size_t i = 0; i < n_query_; ++i)
    for (std::size_t h = 0; h < style_.settings.q_heads; ++h)
      for (std::size_t c = 0; c < shape_.value_dim; ++c)
        rows.push_back(output_[i * token_stride(shape_.value_dim) + h * row_stride(shape_.value_dim) + c]);
  return rows;
}

testing::AssertionResult AttendItem::row_agrees(std::size_t row, const std::vector<float>& actual,
                                                const reference::Answer& expected) const {
  const std::size_t dim = shape_.value_dim, q_heads = style_.settings.q_heads;
  double error = 0.0, norm = 0.0;
  for (std::size_t c = row * dim; c < (row + 1) * dim; ++c) {
    error += (actual[c] - expected.output[c]) * (actual[c] - expected.output[c]);
    norm += expected.output[c] * expected.output[c];
  }
  error = std::sqrt(error);
  norm = std::sqrt(norm);
  const double allowed =
      expected.allowed[row] + output_rounding(style_.output_dtype, norm + expected.allowed[row], dim);
  if (!(error <= allowed))
    return testing::AssertionFailure() << "query " << row / q_heads << ", head " << row % q_heads
                                       << ": output is off by " << error << ", allowed " << allowed << ", norm "
                                       << norm;
  if (!style_.log_sum_exp) return testing::AssertionSuccess();
  const double lse = expected.log_sum_exp[row];
  const bool same =
      std::isinf(lse) ? log_sum_exp_[row] == lse : std::fabs(log_sum_exp_[row] - lse) <= expected.allowed_lse[row];
  if (same) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "query " << row / q_heads << ", head " << row % q_heads << ": log_sum_exp is "
                                     << log_sum_exp_[row] << " instead of " << lse << " +- "
                                     << expected.allowed_lse[row];
}

testing::AssertionResult AttendItem::agrees(reference::Context context) const {
  const auto length = static_cast<std::ptrdiff_t>(context.rows.count());
  if (style_.new_tokens) context.rows.push(new_tokens_);
  const std::ptrdiff_t first = style_.new_tokens ? length : length - static_cast<std::ptrdiff_t>(n_query_);
  const reference::Answer expected = reference::attend(context, style_.settings, query_rows_, first);
  const std::vector<float> actual = output();
  for (std::size_t row = 0; row < log_sum_exp_.size(); ++row)
    if (const testing::AssertionResult result = row_agrees(row, actual, expected); !result) return result;
  // Neither gaps between rows nor a log-sum-exp that was not asked for may be written.
  std::size_t sentinels = 0;
  for (std::size_t i = 0; i < output_.size(); ++i) sentinels += output_[i] == kSentinel ? 1 : 0;
  if (sentinels != output_.size() - actual.size()) return testing::AssertionFailure() << "wrote between output rows";
  for (const float value : log_sum_exp_)
    if (!style_.log_sum_exp && value != kSentinel) return testing::AssertionFailure() << "wrote log_sum_exp";
  return testing::AssertionSuccess();
}

void run_backwards(void*, std::size_t count, void (*task)(void*, std::size_t), void* context) {
  for (std::size_t i = count; i-- > 0;) task(context, i);
}

void run_on_threads(void*, std::size_t count, void (*task)(void*, std::size_t), void* context) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) task(context, i);
    });
  for (std::thread& thread : threads) thread.join();
}

void attend(const Cache& cache, const CallStyle& style, const std::vector<AttendItem>& items, std::uint32_t layer) {
  tq_attend_options options = attend_options(style.settings, layer);
  options.query_dtype = style.query_dtype;
  options.output_dtype = style.output_dtype;
  options.pool = style.pool;
  options.parallel_for = style.parallel_for;
  options.parallel_user = style.parallel_user;
  std::vector<tq_attend_item> raw;
  for (const AttendItem& item : items) raw.push_back(item.item());
  Error error;
  EXPECT_TQ_OK(tq_attend(cache, &options, raw.data(), raw.size(), &error), error);
}

std::vector<float> attend_one(const Cache& cache, tq_sequence sequence, std::uint32_t q_heads,
                              const std::vector<float>& query) {
  reference::Settings settings;
  settings.q_heads = q_heads;
  const tq_attend_options options = attend_options(settings);
  std::vector<float> output(q_heads * cache.shape().value_dim);
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence, item.n_query = 1, item.query = query.data(), item.output = output.data();
  Error error;
  EXPECT_TQ_OK(tq_attend(cache, &options, &item, 1, &error), error);
  return output;
}

void raise_logit(float* key, const float* query, std::size_t dim, float by) {
  float norm2 = 0;
  for (std::size_t j = 0; j < dim; ++j) norm2 += query[j] * query[j];
  const float along = by * std::sqrt(static_cast<float>(dim)) / norm2;
  for (std::size_t j = 0; j < dim; ++j) key[j] += along * query[j];
}

double error_beside_dense(const Tokens& rows, std::size_t kv_head, const float* query, const float* output) {
  const std::vector<double> dense = reference::dense(rows, kv_head, query);
  const std::vector<float> expected(dense.begin(), dense.end());
  return std::sqrt(relative_squared_error(output, expected.data(), expected.size()));
}

}  // namespace tq_test
