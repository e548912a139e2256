#include "ggml/ggml.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace bench {

namespace {

// The few functions of ggml.h, ggml-cpu.h and ggml-backend.h that we call. Their headers are not needed to build.
struct Context;
struct Tensor;
struct Graph;
struct Backend;
struct InitParams {
  std::size_t mem_size;
  void* mem_buffer;
  bool no_alloc;
};
enum : int { kTypeF32 = 0, kTypeF16 = 1 };

struct Api {
  Context* (*init)(InitParams);
  void (*free)(Context*);
  Tensor* (*new_tensor_3d)(Context*, int type, std::int64_t, std::int64_t, std::int64_t);
  Tensor* (*permute)(Context*, Tensor*, int, int, int, int);
  void* (*get_data)(const Tensor*);
  Tensor* (*flash_attn_ext)(Context*, Tensor* q, Tensor* k, Tensor* v, Tensor* mask, float scale, float max_bias,
                            float softcap);
  std::size_t (*quantize_chunk)(int type, const float* from, void* to, std::int64_t start, std::int64_t rows,
                                std::int64_t row_size, const float* importance);
  std::size_t (*row_size)(int type, std::int64_t);
  Graph* (*new_graph)(Context*);
  void (*build_forward_expand)(Graph*, Tensor*);
  Backend* (*backend_cpu_init)();
  void (*backend_cpu_set_n_threads)(Backend*, int);
  int (*backend_graph_compute)(Backend*, Graph*);
  void (*backend_free)(Backend*);
};

void* open_library(const std::string& folder, const char* name) {
  void* library = dlopen((folder + "/" + name).c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  return library;
}

template <class Function>
void find(const std::vector<void*>& libraries, const char* name, Function& function) {
  for (void* library : libraries) {
    if (void* symbol = dlsym(library, name)) {
      function = reinterpret_cast<Function>(symbol);
      return;
    }
  }
  throw std::runtime_error(std::string("no function ") + name);
}

Api load(const std::string& folder) {
  const std::vector<void*> libraries = {open_library(folder, "libggml-base.so"),
                                        open_library(folder, "libggml-cpu.so")};
  Api api{};
  find(libraries, "ggml_init", api.init);
  find(libraries, "ggml_free", api.free);
  find(libraries, "ggml_new_tensor_3d", api.new_tensor_3d);
  find(libraries, "ggml_permute", api.permute);
  find(libraries, "ggml_get_data", api.get_data);
  find(libraries, "ggml_flash_attn_ext", api.flash_attn_ext);
  find(libraries, "ggml_quantize_chunk", api.quantize_chunk);
  find(libraries, "ggml_row_size", api.row_size);
  find(libraries, "ggml_new_graph", api.new_graph);
  find(libraries, "ggml_build_forward_expand", api.build_forward_expand);
  find(libraries, "ggml_backend_cpu_init", api.backend_cpu_init);
  find(libraries, "ggml_backend_cpu_set_n_threads", api.backend_cpu_set_n_threads);
  find(libraries, "ggml_backend_graph_compute", api.backend_graph_compute);
  find(libraries, "ggml_backend_free", api.backend_free);
  return api;
}

struct Loaded {
  Api api{};
  std::string folder;

  Loaded() {
    const char* wanted = std::getenv("TQ_GGML_DIR");
    if (wanted == nullptr || *wanted == '\0') return;
    try {
      api = load(wanted);
      folder = wanted;
    } catch (const std::exception& problem) {
      std::fprintf(stderr, "no comparison with ggml, TQ_GGML_DIR=%s: %s\n", wanted, problem.what());
    }
  }
};

const Loaded& loaded() {
  static const Loaded once;
  return once;
}

// [token][head][dim] of the pool, repeated, as one head after another or token by token.
void fill(const Api& api, const GgmlShape& shape, const Pool& pool, const std::vector<float>& rows, void* to) {
  const std::size_t d = pool.head_dim, bytes = api.row_size(static_cast<int>(shape.type), static_cast<std::int64_t>(d));
  for (std::size_t t = 0; t < shape.tokens; ++t) {
    for (std::size_t h = 0; h < pool.heads; ++h) {
      const float* row = rows.data() + (t % Pool::kTokens * pool.heads + h) * d;
      const std::size_t at = shape.token_major ? t * pool.heads + h : h * shape.tokens + t;
      api.quantize_chunk(static_cast<int>(shape.type), row, static_cast<char*>(to) + at * bytes, 0, 1,
                         static_cast<std::int64_t>(d), nullptr);
    }
  }
}

}  // namespace

bool ggml_available() { return !loaded().folder.empty(); }
std::string ggml_source() { return loaded().folder; }

struct GgmlAttention::State {
  const Api& api = loaded().api;
  GgmlShape shape;
  std::size_t head_dim;
  Context* context = nullptr;
  Backend* backend = nullptr;
  Tensor* output = nullptr;
  Graph* graph = nullptr;

  State(const GgmlShape& given, const Pool& pool) : shape(given), head_dim(pool.head_dim) {
    const std::size_t row = api.row_size(static_cast<int>(shape.type), static_cast<std::int64_t>(head_dim));
    const std::size_t cache = 2 * shape.tokens * pool.heads * row;
    const std::size_t queries = 2 * shape.new_tokens * shape.q_heads * head_dim * sizeof(float);
    context = api.init({cache + queries + mask_rows() * shape.tokens * 2 + (std::size_t{8} << 20), nullptr, false});
    backend = api.backend_cpu_init();
    if (context == nullptr || backend == nullptr) throw std::runtime_error("ggml could not start");
    api.backend_cpu_set_n_threads(backend, 1);
  }
  ~State() {
    if (backend != nullptr) api.backend_free(backend);
    if (context != nullptr) api.free(context);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Tensors have their innermost dimension first.
  Tensor* tensor(int type, std::size_t a, std::size_t b, std::size_t c) const {
    return api.new_tensor_3d(context, type, static_cast<std::int64_t>(a), static_cast<std::int64_t>(b),
                             static_cast<std::int64_t>(c));
  }
  Tensor* cache_tensor(const Pool& pool, const std::vector<float>& rows) const {
    const int type = static_cast<int>(shape.type);
    Tensor* made = shape.token_major ? tensor(type, head_dim, pool.heads, shape.tokens)
                                     : tensor(type, head_dim, shape.tokens, pool.heads);
    fill(api, shape, pool, rows, api.get_data(made));
    return shape.token_major ? api.permute(context, made, 0, 2, 1, 3) : made;
  }
  std::size_t mask_rows() const { return shape.new_tokens == 1 ? 0 : (shape.new_tokens + 63) / 64 * 64; }
  Tensor* causal_mask() const {
    if (shape.new_tokens == 1) return nullptr;
    constexpr std::uint16_t kMinusInfinity = 0xFC00;
    Tensor* mask = tensor(kTypeF16, shape.tokens, mask_rows(), 1);
    auto* row = static_cast<std::uint16_t*>(api.get_data(mask));
    for (std::size_t i = 0; i < mask_rows(); ++i, row += shape.tokens) {
      const std::size_t visible = std::min(shape.tokens, shape.tokens - shape.new_tokens + i + 1);
      std::fill(row, row + visible, std::uint16_t{0});
      std::fill(row + visible, row + shape.tokens, kMinusInfinity);
    }
    return mask;
  }
};

GgmlAttention::GgmlAttention(const GgmlShape& shape, const Pool& pool, const std::vector<float>& queries)
    : state_(std::make_unique<State>(shape, pool)) {
  State& s = *state_;
  Tensor* q = s.tensor(kTypeF32, s.head_dim, shape.q_heads, shape.new_tokens);
  std::memcpy(s.api.get_data(q), queries.data(), shape.q_heads * shape.new_tokens * s.head_dim * sizeof(float));
  Tensor* k = s.cache_tensor(pool, pool.keys);
  Tensor* v = s.cache_tensor(pool, pool.values);
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
  q = s.api.permute(s.context, q, 0, 2, 1, 3);
  s.output = s.api.flash_attn_ext(s.context, q, k, v, s.causal_mask(), scale, 0.0f, 0.0f);
  s.graph = s.api.new_graph(s.context);
  s.api.build_forward_expand(s.graph, s.output);
}

GgmlAttention::~GgmlAttention() = default;

void GgmlAttention::run() {
  if (state_->api.backend_graph_compute(state_->backend, state_->graph) != 0)
    throw std::runtime_error("ggml could not compute the attention");
}

void GgmlAttention::copy_output(float* out) const {
  const State& s = *state_;
  std::memcpy(out, s.api.get_data(s.output), s.shape.q_heads * s.shape.new_tokens * s.head_dim * sizeof(float));
}

std::string GgmlAttention::name() const {
  std::string name = "ggml_f16";
  if (state_->shape.type == GgmlType::kQ8_0) name = "ggml_q8_0";
  if (state_->shape.type == GgmlType::kQ4_0) name = "ggml_q4_0";
  return state_->shape.token_major ? name + "_rows" : name;
}

}  // namespace bench
