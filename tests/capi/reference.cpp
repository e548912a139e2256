// How much error is allowed (docs/numerics.md, section 5)
//
// A query row is rounded to 8 bits (TQ4 keys) or 15 bits (TQ8) after rotation, with one step delta = max |R q| / 127 or
// / 16256 per row. Its rounding error dq has independent components, uniform in +-delta / 2, of variance delta^2 / 12.
// A coded token i then has the logit error ds_i = scale * dq . a_i, where a_i is what the codes hold: the key, or, with
// centred keys, the key minus the mean of its block (q . mean stays in f32). For Gaussian rows of 128 values
// max |R q| is about 2.8 sigma, so a score row is off by 0.65 % of |q||k| / sqrt(d): 7 % of the 9 % that the 4-bit
// codes themselves cost. Tokens in 16 bit have no such error.
//
// To first order the output o = sum_i w_i v_i moves by sum_i w_i ds_i (v_i - o): linear in dq with the matrix
// M = scale * sum_i w_i a_i (v_i - o)^T. The expected squared norm is delta^2 / 12 * |M|_F^2, and
// |M|_F^2 = scale^2 * sum_ij w_i w_j (a_i . a_j) ((v_i - o) . (v_j - o)), which needs the Gram matrices of a and v
// only. In the same way lse moves by dq . (scale * sum_i w_i a_i). Uniform errors are strictly sub-Gaussian, so six
// standard deviations are exceeded once in 5e8 rows; |dq| <= sqrt(d) * delta / 2 is never exceeded, which is less for d
// < 12. Softcap multiplies ds_i by its slope 1 - tanh^2.
//
// Weights times value scales become integers, relative to the largest of each block of 64 tokens and group of values:
// 255 steps (127 on AArch64) with dithered rounding, for tq8 at least 16383 with plain rounding. (tq4 gets that, too, where
// one token outweighs the others; attention_error_test.cpp tells what it is good for.) One step is max_i(w_i s_i) / steps, and an error has the variance step^2 / 6
// or step^2 / 12. With codes of 22.319 units per sigma, s_i is |v_i| / 22.319 per sqrt(values), and the independent errors
// of 64 tokens add up to sqrt(64 / 6) or sqrt(64 / 12) of max_i(w_i |v_i|) / steps per block. Rows whose groups differ in
// size, or that are not Gaussian, stay within twice that; in a group of a few values the heaviest may be all 3s and the
// others all 61s, which makes it 61 / 3.
//
// f32 arithmetic: unit u = 2^-24. A dot product of d terms is off by about u sqrt(d) |q||k|, of which four are granted
// (rotation, product, mean, log2 e); exp and the sums of weights and of outputs get 2^-19 relative: 32 u, for sums of
// a few hundred terms and a polynomial exp2 at the end of its range.
#include "reference.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace tq_test::reference {
namespace {

constexpr double kUnit = 0x1p-24;
constexpr double kSumUnit = 0x1p-19;

std::uint64_t sign_word(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

double dot(const double* a, const double* b, std::size_t n) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// All dot products of `count` rows; [count][count].
std::vector<double> gram(const std::vector<double>& rows, std::size_t count, std::size_t dim) {
  std::vector<double> result(count * count);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j <= i; ++j)
      result[i * count + j] = result[j * count + i] = dot(&rows[i * dim], &rows[j * dim], dim);
  return result;
}

bool coded(tq_format format) { return format == TQ_FORMAT_TQ4 || format == TQ_FORMAT_TQ8; }

// One kv head: its rows and what the error estimate needs of them, shared by all queries.
struct Head {
  std::size_t count, key_dim, value_dim, coded_begin, coded_end;
  std::vector<double> keys, values;
  std::vector<double> key_gram;  // of what the codes hold, zero for tokens in 16 bit
  std::vector<double> value_gram;
  std::vector<double> key_norms;
};

std::vector<double> rows_of_head(const std::vector<float>& rows, std::size_t head, std::size_t heads, std::size_t dim) {
  const std::size_t count = rows.size() / (heads * dim);
  std::vector<double> result(count * dim);
  for (std::size_t t = 0; t < count; ++t)
    for (std::size_t c = 0; c < dim; ++c) result[t * dim + c] = rows[(t * heads + head) * dim + c];
  return result;
}

// The keys as codes hold them: zero outside coded blocks, without the block's mean if the layer centres keys.
std::vector<double> coded_part(const std::vector<double>& keys, std::size_t dim, const Context& context) {
  std::vector<double> result(keys.size());
  if (!coded(context.layer.key_format)) return result;
  for (std::size_t block = context.coded_begin; block < context.coded_end; block += TQ_BLOCK_TOKENS)
    for (std::size_t c = 0; c < dim; ++c) {
      double mean = 0.0;
      for (std::size_t t = 0; t < TQ_BLOCK_TOKENS; ++t) mean += keys[(block + t) * dim + c] / TQ_BLOCK_TOKENS;
      if (context.layer.center_keys == 0) mean = 0.0;
      for (std::size_t t = 0; t < TQ_BLOCK_TOKENS; ++t)
        result[(block + t) * dim + c] = keys[(block + t) * dim + c] - mean;
    }
  return result;
}

Head head_of(const Context& context, std::size_t index) {
  const Shape& shape = context.rows.shape;
  Head head{
      context.rows.count(), shape.key_dim, shape.value_dim, context.coded_begin, context.coded_end, {}, {}, {}, {}, {}};
  head.keys = rows_of_head(context.rows.keys, index, shape.kv_heads, shape.key_dim);
  head.values = rows_of_head(context.rows.values, index, shape.kv_heads, shape.value_dim);
  head.key_gram = gram(coded_part(head.keys, shape.key_dim, context), head.count, shape.key_dim);
  head.value_gram = gram(head.values, head.count, shape.value_dim);
  for (std::size_t t = 0; t < head.count; ++t)
    head.key_norms.push_back(std::sqrt(dot(&head.keys[t * head.key_dim], &head.keys[t * head.key_dim], head.key_dim)));
  return head;
}

// Standard deviation of a component of the rounded query, in the domain of the (orthonormally) rotated query.
double query_noise(const std::vector<double>& query, const tq_layer_options& layer) {
  if (!coded(layer.key_format)) return 0.0;
  double largest = 0.0;
  for (const double value : rotate(query, layer.key_rotation_block, layer.seed))
    largest = std::max(largest, std::fabs(value));
  return largest / (layer.key_format == TQ_FORMAT_TQ8 ? 16256.0 : 127.0) / std::sqrt(12.0);
}

struct Row {
  std::vector<double> output;
  double log_sum_exp, allowed, allowed_lse;
};

struct Softmax {
  std::vector<double> weights, slopes, logit_errors;
  double log_sum_exp;
};

Softmax softmax(const Head& head, const Settings& settings, const std::vector<double>& query, std::size_t begin,
                std::size_t end, const float* sink_logit) {
  Softmax result{std::vector<double>(head.count), std::vector<double>(head.count, 1.0), std::vector<double>(head.count),
                 -std::numeric_limits<double>::infinity()};
  const double scale = settings.scale != 0.0f ? settings.scale : 1.0 / std::sqrt(static_cast<double>(head.key_dim));
  const double query_norm = std::sqrt(dot(query.data(), query.data(), query.size()));
  double largest = sink_logit != nullptr ? *sink_logit : result.log_sum_exp;
  for (std::size_t i = begin; i < end; ++i) {
    double& logit = result.weights[i];
    logit = scale * dot(query.data(), &head.keys[i * head.key_dim], head.key_dim);
    if (settings.softcap > 0.0f) {
      const double bent = std::tanh(logit / settings.softcap);
      logit = settings.softcap * bent;
      result.slopes[i] = 1.0 - bent * bent;
    }
    result.logit_errors[i] =
        4.0 * kUnit * std::sqrt(static_cast<double>(head.key_dim)) * std::fabs(scale) * query_norm * head.key_norms[i];
    largest = std::max(largest, logit);
  }
  double sum = sink_logit != nullptr ? std::exp(*sink_logit - largest) : 0.0;
  for (std::size_t i = begin; i < end; ++i) sum += result.weights[i] = std::exp(result.weights[i] - largest);
  for (std::size_t i = begin; i < end; ++i) result.weights[i] /= sum;
  if (sum > 0.0) result.log_sum_exp = largest + std::log(sum);
  return result;
}

#if defined(__aarch64__)
constexpr double kOneDigit = 127.0;
#else
constexpr double kOneDigit = 255.0;
#endif
constexpr double kTwoDigits = 16383.0;

double value_weight_error(const Head& head, const Softmax& soft, const tq_layer_options& layer) {
  double sum = 0.0;
  for (std::size_t block = head.coded_begin; block < head.coded_end; block += TQ_BLOCK_TOKENS) {
    double heaviest = 0.0;
    for (std::size_t i = block; i < block + TQ_BLOCK_TOKENS; ++i)
      heaviest = std::max(heaviest, soft.weights[i] * std::sqrt(head.value_gram[i * head.count + i]));
    const bool two_digits = layer.value_format == TQ_FORMAT_TQ8;
    const double step = heaviest / (two_digits ? kTwoDigits : kOneDigit);
    sum += step * step * (two_digits ? 64.0 / 12.0 : 64.0 / 6.0);
  }
  const std::size_t last_group = head.value_dim % layer.value_group_size;
  return (last_group != 0 && last_group < 16 ? 61.0 / 3.0 : 2.0) * std::sqrt(sum);
}

Row attend_one(const Head& head, const Context& context, const Settings& settings, const std::vector<double>& query,
               std::size_t begin, std::size_t end, const float* sink_logit) {
  const std::size_t n = head.count;
  const Softmax soft = softmax(head, settings, query, begin, end, sink_logit);
  Row row{std::vector<double>(head.value_dim), soft.log_sum_exp, 0.0, 0.0};
  for (std::size_t i = begin; i < end; ++i)
    for (std::size_t c = 0; c < head.value_dim; ++c)
      row.output[c] += soft.weights[i] * head.values[i * head.value_dim + c];

  const double output_norm2 = dot(row.output.data(), row.output.data(), head.value_dim);
  std::vector<double> along(n);  // v_i . o
  for (std::size_t i = begin; i < end; ++i)
    along[i] = dot(&head.values[i * head.value_dim], row.output.data(), head.value_dim);

  double output_energy = 0.0, lse_energy = 0.0, largest_key = 0.0, f32_output = 0.0, f32_lse = kSumUnit;
  for (std::size_t i = begin; i < end; ++i) {
    const double* key_gram = &head.key_gram[i * n];
    const double* value_gram = &head.value_gram[i * n];
    double output_sum = 0.0, lse_sum = 0.0;
    for (std::size_t j = begin; j < end; ++j) {
      const double pair = soft.weights[j] * soft.slopes[j] * key_gram[j];
      lse_sum += pair;
      output_sum += pair * (value_gram[j] - along[i] - along[j] + output_norm2);
    }
    output_energy += soft.weights[i] * soft.slopes[i] * output_sum;
    lse_energy += soft.weights[i] * soft.slopes[i] * lse_sum;
    largest_key = std::max(largest_key, key_gram[i]);
    const double distance = std::sqrt(std::max(0.0, value_gram[i] - 2.0 * along[i] + output_norm2));
    f32_output +=
        soft.weights[i] * ((soft.logit_errors[i] + kSumUnit) * distance + kSumUnit * std::sqrt(value_gram[i]));
    f32_lse += soft.weights[i] * soft.logit_errors[i];
  }

  const double scale = settings.scale != 0.0f ? settings.scale : 1.0 / std::sqrt(static_cast<double>(head.key_dim));
  const double noise = std::fabs(scale) * query_noise(query, context.layer);
  const double deviations = std::min(6.0, std::sqrt(3.0 * static_cast<double>(head.key_dim)));
  // The second order of exp: a logit off by x changes its weight by x + x^2 / 2.
  const double second_order = 1.0 + deviations * noise * std::sqrt(largest_key);
  row.allowed = second_order * deviations * noise * std::sqrt(std::max(0.0, output_energy)) + f32_output;
  if (coded(context.layer.value_format)) row.allowed += value_weight_error(head, soft, context.layer);
  row.allowed_lse = second_order * deviations * noise * std::sqrt(std::max(0.0, lse_energy)) + f32_lse +
                    4.0 * kUnit * (std::isfinite(soft.log_sum_exp) ? std::fabs(soft.log_sum_exp) : 0.0);
  return row;
}

// The rows that a query at `position` sees, as [begin, end).
std::pair<std::size_t, std::size_t> visible(std::ptrdiff_t position, std::size_t count, bool causal,
                                            std::size_t window) {
  const auto all = static_cast<std::ptrdiff_t>(count);
  const std::ptrdiff_t end = causal ? std::clamp<std::ptrdiff_t>(position + 1, 0, all) : all;
  const std::ptrdiff_t begin = window == 0 ? 0 : position + 1 - static_cast<std::ptrdiff_t>(window);
  return {static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(begin, 0, end)), static_cast<std::size_t>(end)};
}

}  // namespace

std::vector<double> hadamard(const std::vector<double>& x) {
  std::vector<double> result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) result[i] += std::popcount(i & j) % 2 == 1 ? -x[j] : x[j];
  for (double& value : result) value /= std::sqrt(static_cast<double>(x.size()));
  return result;
}

std::vector<double> rotate(const std::vector<double>& x, std::uint32_t rotation_block, std::uint64_t seed) {
  const std::size_t block = rotation_block != 0 ? rotation_block : x.size() & (~x.size() + 1);
  std::vector<double> result;
  for (std::size_t first = 0; first < x.size(); first += block) {
    std::vector<double> part(x.begin() + static_cast<std::ptrdiff_t>(first),
                             x.begin() + static_cast<std::ptrdiff_t>(first + block));
    for (std::size_t i = 0; i < block; ++i)
      if ((sign_word(seed, (first + i) / 64) >> ((first + i) % 64) & 1u) != 0) part[i] = -part[i];
    part = hadamard(part);
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

Answer attend(const Context& context, const Settings& settings, const std::vector<float>& queries,
              std::ptrdiff_t first_position) {
  const Shape& shape = context.rows.shape;
  const std::size_t n_query = queries.size() / (settings.q_heads * std::size_t{shape.key_dim});
  const std::size_t rows = n_query * settings.q_heads, group = settings.q_heads / shape.kv_heads;
  Answer answer{std::vector<double>(rows * shape.value_dim), std::vector<double>(rows), std::vector<double>(rows),
                std::vector<double>(rows)};
  for (std::size_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
    const Head head = head_of(context, kv_head);
    for (std::size_t i = 0; i < n_query; ++i)
      for (std::size_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        const std::size_t row = i * settings.q_heads + h;
        const auto from = queries.begin() + static_cast<std::ptrdiff_t>(row * shape.key_dim);
        const std::vector<double> query(from, from + shape.key_dim);
        const auto [begin, end] =
            visible(first_position + static_cast<std::ptrdiff_t>(i), head.count, settings.causal, context.layer.window);
        const float* sink = settings.sink_logits.empty() ? nullptr : &settings.sink_logits[h];
        const Row one = attend_one(head, context, settings, query, begin, end, sink);
        std::copy(one.output.begin(), one.output.end(),
                  answer.output.begin() + static_cast<std::ptrdiff_t>(row * shape.value_dim));
        answer.log_sum_exp[row] = one.log_sum_exp;
        answer.allowed[row] = one.allowed;
        answer.allowed_lse[row] = one.allowed_lse;
      }
  }
  return answer;
}

std::vector<double> dense(const Tokens& tokens, std::size_t kv_head, const float* query) {
  const Shape& shape = tokens.shape;
  std::vector<double> logits(tokens.count()), output(shape.value_dim);
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::size_t t = 0; t < logits.size(); ++t) {
    const float* key = &tokens.keys[t * shape.key_row() + kv_head * shape.key_dim];
    for (std::size_t j = 0; j < shape.key_dim; ++j)
      logits[t] += double{query[j]} * double{key[j]} / std::sqrt(static_cast<double>(shape.key_dim));
    largest = std::max(largest, logits[t]);
  }
  for (std::size_t t = 0; t < logits.size(); ++t) {
    const double weight = std::exp(logits[t] - largest);
    sum += weight;
    for (std::size_t j = 0; j < shape.value_dim; ++j)
      output[j] += weight * double{tokens.values[t * shape.value_row() + kv_head * shape.value_dim + j]};
  }
  for (double& value : output) value /= sum;
  return output;
}

}  // namespace tq_test::reference
