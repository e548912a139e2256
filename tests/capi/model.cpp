#include "model.hpp"

#include <algorithm>

namespace tq_test {
namespace {

bool is_coded(tq_format format) { return format == TQ_FORMAT_TQ4 || format == TQ_FORMAT_TQ8; }

// One vector may be this bad (codec_shapes_test.cpp), a block of 64 vectors on average not much worse than Gaussian.
double vector_bound(tq_format format) { return format == TQ_FORMAT_TQ4 ? 0.05 : 2e-4; }
double block_bound(tq_format format) { return format == TQ_FORMAT_TQ4 ? 0.0110 : 1e-4; }

}  // namespace

struct SequenceModel::Side {
  const char* name;
  tq_format format;
  std::uint32_t heads, dim;
  bool centred;
  const std::vector<float>& expected;
  const std::vector<float>& actual;
  std::size_t row() const { return std::size_t{heads} * dim; }
};

SequenceModel::SequenceModel(const tq_layer_options& options) : options_(options), exact_dtype_(options.exact_dtype) {
  const std::uint32_t value_dim = options.value_dim == 0 ? options.key_dim : options.value_dim;
  rows_.shape = {options.kv_heads, options.key_dim, value_dim};
}

void SequenceModel::append(const Tokens& tokens, tq_dtype dtype) {
  if (exact_dtype_ == TQ_DTYPE_AUTO) exact_dtype_ = dtype == TQ_BF16 ? TQ_BF16 : TQ_F16;
  rows_.push(rounded(rounded(tokens, dtype), exact_dtype_));
  const std::size_t after_sinks = length() > options_.sink_tokens ? length() - options_.sink_tokens : 0;
  const std::size_t complete = after_sinks / TQ_BLOCK_TOKENS;
  if (complete > options_.recent_blocks) coded_blocks_ = std::max(coded_blocks_, complete - options_.recent_blocks);
}

void SequenceModel::truncate(std::size_t length, const Tokens& decoded) {
  if (length >= rows_.count()) return;
  rows_.resize(length);
  if (length == 0) exact_dtype_ = options_.exact_dtype;
  const std::size_t after_sinks = length > options_.sink_tokens ? length - options_.sink_tokens : 0;
  const std::size_t kept = std::min(coded_blocks_, after_sinks / TQ_BLOCK_TOKENS);
  if (kept == coded_blocks_) return;
  coded_blocks_ = kept;
  const std::size_t open = std::min(coded_end(), length);
  Tokens tail = rounded(decoded.slice(open, length - open), exact_dtype_);
  rows_.resize(open);
  rows_.push(tail);
}

// Every token outside coded blocks, bit for bit. A complete block of a 16-bit format holds that format, whatever the
// tail was kept in.
testing::AssertionResult SequenceModel::exact_tokens_match(const Side& side) const {
  for (std::size_t t = 0; t < length(); ++t) {
    const bool in_block = t >= coded_begin() && t < coded_end();
    if (in_block && is_coded(side.format)) continue;
    const tq_dtype block_dtype = side.format == TQ_FORMAT_BF16 ? tq_dtype{TQ_BF16} : tq_dtype{TQ_F16};
    const tq_dtype dtype = in_block ? block_dtype : exact_dtype_;
    for (std::size_t i = t * side.row(); i < (t + 1) * side.row(); ++i)
      if (side.actual[i] != rounded(side.expected[i], dtype))
        return testing::AssertionFailure() << side.name << ": exact token " << t << ", element " << i % side.row()
                                           << " is " << side.actual[i] << " instead of " << side.expected[i];
  }
  return testing::AssertionSuccess();
}

// One coded block of one head, within the error of the format, relative to what was coded.
testing::AssertionResult SequenceModel::block_matches(const Side& side, std::size_t block, std::size_t head) const {
  const auto index = [&](std::size_t token, std::size_t c) { return token * side.row() + head * side.dim + c; };
  std::vector<double> mean(side.dim);
  for (std::size_t t = block; side.centred && t < block + TQ_BLOCK_TOKENS; ++t)
    for (std::size_t c = 0; c < side.dim; ++c) mean[c] += double{side.expected[index(t, c)]} / TQ_BLOCK_TOKENS;
  double block_error = 0.0;
  for (std::size_t t = block; t < block + TQ_BLOCK_TOKENS; ++t) {
    double error = 0.0, energy = 0.0;
    for (std::size_t c = 0; c < side.dim; ++c) {
      const double coded = side.expected[index(t, c)] - mean[c],
                   off = side.actual[index(t, c)] - side.expected[index(t, c)];
      error += off * off;
      energy += coded * coded;
    }
    if (error > vector_bound(side.format) * energy)
      return testing::AssertionFailure() << side.name << ": coded token " << t << ", head " << head
                                         << " has the relative squared error " << error / energy;
    block_error += error / energy / TQ_BLOCK_TOKENS;
  }
  if (block_error > block_bound(side.format))
    return testing::AssertionFailure() << side.name << ": block at token " << block << ", head " << head
                                       << " has the mean relative squared error " << block_error;
  return testing::AssertionSuccess();
}

testing::AssertionResult SequenceModel::side_matches(const Side& side) const {
  if (const testing::AssertionResult result = exact_tokens_match(side); !result) return result;
  for (std::size_t block = coded_begin(); is_coded(side.format) && block < coded_end(); block += TQ_BLOCK_TOKENS)
    for (std::size_t head = 0; head < side.heads; ++head)
      if (const testing::AssertionResult result = block_matches(side, block, head); !result) return result;
  return testing::AssertionSuccess();
}

testing::AssertionResult SequenceModel::matches(const Cache& cache, tq_sequence sequence, std::uint32_t layer) const {
  const std::size_t actual_length = cache.length(sequence, layer);
  if (actual_length != length())
    return testing::AssertionFailure() << "length is " << actual_length << " instead of " << length();
  const Tokens actual = cache.read(sequence, layer);
  const Side keys{"keys",     options_.key_format, rows_.shape.kv_heads, rows_.shape.key_dim, options_.center_keys != 0,
                  rows_.keys, actual.keys};
  const Side values{"values", options_.value_format, rows_.shape.kv_heads, rows_.shape.value_dim,
                    false,    rows_.values,          actual.values};
  if (const testing::AssertionResult result = side_matches(keys); !result) return result;
  return side_matches(values);
}

reference::Context SequenceModel::context(const Cache& cache, tq_sequence sequence, std::uint32_t layer) const {
  return {options_, cache.read(sequence, layer), coded_begin(), coded_end()};
}

}  // namespace tq_test
