#include "codec/vector_codec.hpp"

#include "internal.hpp"

using namespace tq;
using namespace tq::capi;

struct tq_codec {
  tq_codec(const Allocator& allocator, const VectorCodecOptions& options) : codec(allocator, options) {}
  VectorCodec codec;
};

namespace {

tq_codec_options default_codec_options() {
  tq_codec_options options{};
  options.format = TQ_FORMAT_TQ4;
  options.group_size = 64;
  options.scale_search = 1;
  options.layout = TQ_LAYOUT_VECTORS;
  options.seed = kDefaultSeed;
  return options;
}

VectorCodecOptions checked(const tq_codec_options& options) {
  check_dim(options.head_dim, "head_dim");
  check_group(options.group_size, "group_size");
  check_rotation_block(options.rotation_block, options.head_dim, "rotation_block");
  check_flag(options.scale_search, "scale_search");
  if (options.layout > TQ_LAYOUT_BLOCKS)
    invalid("layout is %u; expected TQ_LAYOUT_VECTORS (0) or TQ_LAYOUT_BLOCKS (1)", options.layout);
  if (options.reserved != 0) invalid("reserved is %u; expected 0", options.reserved);
  return {options.head_dim,     format_from(options.format, "format"),     options.group_size, options.rotation_block,
          options.scale_search, static_cast<VectorLayout>(options.layout), options.seed};
}

std::size_t stride_from(std::size_t stride, std::size_t dim, std::size_t count) {
  if (stride == 0) stride = dim;
  if (stride < dim) invalid("stride is %zu; expected 0 or at least head_dim, %zu", stride, dim);
  multiply(multiply(count, stride, "count, stride"), sizeof(float), "count, stride");
  return stride;
}

// The bytes that `count` vectors need are there.
const std::uint8_t* encoded(const VectorCodec& codec, const void* codes, std::size_t size, std::size_t count) {
  const std::size_t needed = codec.encoded_bytes(count);
  if (size < needed) {
    fail(Status::kBufferTooSmall, "codes_size is %zu; %zu vectors take %zu bytes", size, count, needed);
  }
  return static_cast<const std::uint8_t*>(needed == 0 ? codes : require(codes, "codes"));
}

// R(x) / sqrt(n) or its inverse, R^-1(sqrt(n) y), row by row.
template <class Rotate>
void rotate_each(const tq_codec* codec, float* rows, std::size_t count, Rotate rotate) {
  const VectorCodec& own = require(codec, "codec")->codec;
  const std::size_t dim = own.dim();
  multiply(multiply(count, dim, "count"), sizeof(float), "count");
  if (count == 0) return;
  require(rows, "rows");
  alignas(kAlignment) float row[kMaxPadded];
  const float root = std::sqrt(static_cast<float>(own.rotation().block));
  for (std::size_t i = 0; i < count; ++i) {
    const RowSource source{rows + i * dim, Element::kF32, dim};
    rotate(source, own.rotation(), root, row);
    std::memcpy(rows + i * dim, row, dim * sizeof(float));
  }
}

}  // namespace

extern "C" {

void tq_codec_options_init(tq_codec_options* options, uint32_t struct_size) {
  write_defaults(options, struct_size, default_codec_options());
}

tq_status tq_codec_create(const tq_codec_options* options, tq_codec** out, tq_error* err) {
  return guarded(err, [&] {
    require(out, "out");
    require_known_cpu_target();
    const tq_codec_options own = read_struct(options, "options", default_codec_options());
    const VectorCodecOptions valid = checked(own);
    const Allocator allocator = allocator_from(own.allocator);
    *out = create<tq_codec>(allocator, allocator, valid);
  });
}

void tq_codec_destroy(tq_codec* codec) {
  if (codec != nullptr) destroy(codec->codec.allocator(), codec);
}

size_t tq_codec_vector_bytes(const tq_codec* codec) { return codec == nullptr ? 0 : codec->codec.vector_bytes(); }

size_t tq_codec_encoded_bytes(const tq_codec* codec, size_t count) {
  std::size_t bytes = 0;
  if (codec != nullptr) guarded(nullptr, [&] { bytes = codec->codec.encoded_bytes(count); });
  return bytes;
}

tq_status tq_encode(const tq_codec* codec, const void* vectors, tq_dtype dtype, size_t stride, size_t count,
                    void* codes, size_t codes_size, tq_error* err) {
  return guarded(err, [&] {
    const VectorCodec& own = require(codec, "codec")->codec;
    const RowSource source{vectors, element_from(dtype, "dtype"), stride_from(stride, own.dim(), count)};
    encoded(own, codes, codes_size, count);
    if (count == 0) return;
    require(vectors, "vectors");
    own.encode(source, count, static_cast<std::uint8_t*>(codes));
  });
}

tq_status tq_decode(const tq_codec* codec, const void* codes, size_t codes_size, size_t first, size_t count,
                    void* vectors, tq_dtype dtype, size_t stride, tq_error* err) {
  return guarded(err, [&] {
    const VectorCodec& own = require(codec, "codec")->codec;
    if (count > SIZE_MAX - first) invalid("first, count: %zu + %zu overflows", first, count);
    const RowTarget target{vectors, element_from(dtype, "dtype"), stride_from(stride, own.dim(), count)};
    const std::uint8_t* bytes = encoded(own, codes, codes_size, first + count);
    if (count == 0) return;
    require(vectors, "vectors");
    own.decode(bytes, first, count, target);
  });
}

tq_status tq_rotate(const tq_codec* codec, float* rows, size_t count, tq_error* err) {
  return guarded(err, [&] {
    rotate_each(codec, rows, count, [](RowSource source, const Rotation& rotation, float root, float* row) {
      kernels().rotate_rows(source, 1, rotation, nullptr, row);
      kernels().scale_floats(row, rotation.dim, 1.0f / root);
    });
  });
}

tq_status tq_unrotate(const tq_codec* codec, float* rows, size_t count, tq_error* err) {
  return guarded(err, [&] {
    rotate_each(codec, rows, count, [](RowSource source, const Rotation& rotation, float root, float* row) {
      kernels().load_rows(source, 1, rotation.dim, row);
      kernels().unrotate_rows(row, 1, rotation, nullptr);
      kernels().scale_floats(row, rotation.dim, root);
    });
  });
}

tq_status tq_scores(const tq_codec* codec, const void* codes, size_t codes_size, size_t count, const float* queries,
                    size_t n_query, float* scores, tq_error* err) {
  return guarded(err, [&] {
    const VectorCodec& own = require(codec, "codec")->codec;
    const std::uint8_t* bytes = encoded(own, codes, codes_size, count);
    multiply(multiply(n_query, std::max<std::size_t>(count, own.dim()), "n_query"), sizeof(float), "n_query");
    if (count == 0 || n_query == 0) return;
    own.scores(bytes, count, require(queries, "queries"), n_query, require(scores, "scores"));
  });
}

}  // extern "C"
