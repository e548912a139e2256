// The codec without a cache: 256 vectors that stay in the L2 cache.
#include "cases/cases.hpp"
#include "cases/codec_support.hpp"
#include "cases/library.hpp"

namespace bench {

namespace {

constexpr std::size_t kVectors = 256;

struct Shape {
  std::size_t head_dim;
  tq_dtype dtype;
  bool search;
  std::uint32_t layout;
};

struct State {
  std::unique_ptr<tq_codec, decltype(&tq_codec_destroy)> codec{nullptr, tq_codec_destroy};
  Memory vectors;
  std::vector<char> codes;

  explicit State(const Shape& shape) : vectors(elements(gaussian(kVectors * shape.head_dim, 1), shape.dtype)) {
    tq_codec_options options;
    tq_codec_options_init(&options, sizeof options);
    options.head_dim = static_cast<std::uint32_t>(shape.head_dim);
    options.scale_search = shape.search ? 1 : 0;
    options.layout = shape.layout;
    tq_codec* made = nullptr;
    check(tq_codec_create(&options, &made, &last_error));
    codec.reset(made);
    codes.resize(tq_codec_encoded_bytes(made, kVectors));
    encode(shape.dtype);
  }
  void encode(tq_dtype dtype) {
    check(tq_encode(codec.get(), vectors.as<char>(), dtype, 0, kVectors, codes.data(), codes.size(), &last_error));
  }
  void decode(tq_dtype dtype) {
    check(tq_decode(codec.get(), codes.data(), codes.size(), 0, kVectors, vectors.as<char>(), dtype, 0, &last_error));
  }
};

Plan prepare(const Shape& shape, bool encode) {
  const auto state = std::make_shared<State>(shape);
  const auto run = [=] { encode ? state->encode(shape.dtype) : state->decode(shape.dtype); };
  Plan plan;
  plan.units = kVectors;
  plan.unit = "vector";
  plan.contenders = {{"tq", run, transform_work(shape.head_dim, kVectors)}, transforms(shape.head_dim, kVectors)};
  return plan;
}

void add(const Shape& shape, bool encode, std::vector<Case>& cases) {
  std::string name = encode ? "encode/" : "decode/";
  name += shape.layout == TQ_LAYOUT_BLOCKS ? "blocks" : "vectors";
  name += "/d" + std::to_string(shape.head_dim) + "/" + dtype_name(shape.dtype) + (shape.search ? "" : "/nosearch");
  cases.push_back({name, std::string(encode ? "tq_encode" : "tq_decode") + " of 256 vectors",
                   [=] { return prepare(shape, encode); }});
}

}  // namespace

void add_vector_codec_cases(const Scope& scope, std::vector<Case>& cases) {
  for (const std::size_t head_dim : {64, 128, 256}) {
    if (scope.quick && head_dim != 128) continue;
    for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS}) {
      if (scope.quick && layout == TQ_LAYOUT_BLOCKS) continue;
      for (const bool search : {true, false}) add({head_dim, TQ_F32, search, layout}, true, cases);
      for (const tq_dtype dtype : {TQ_F32, TQ_F16}) add({head_dim, dtype, true, layout}, false, cases);
    }
  }
}

}  // namespace bench
