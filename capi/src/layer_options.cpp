#include "layer_options.hpp"

namespace tq::capi {

tq_layer_options default_layer_options() {
  tq_layer_options options{};
  options.key_format = TQ_FORMAT_TQ4;
  options.value_format = TQ_FORMAT_TQ4;
  options.key_group_size = 64;
  options.value_group_size = 64;
  options.center_keys = 1;
  options.scale_search = 1;
  options.sink_tokens = 4;
  options.seed = kDefaultSeed;
  return options;
}

LayerOptions checked(const tq_layer_options& given) {
  check_range(given.kv_heads, 1, 65536, "kv_heads");
  check_dim(given.key_dim, "key_dim");
  const std::uint32_t value_dim = given.value_dim == 0 ? given.key_dim : given.value_dim;
  check_dim(value_dim, "value_dim");
  check_group(given.key_group_size, "key_group_size");
  check_group(given.value_group_size, "value_group_size");
  check_rotation_block(given.key_rotation_block, given.key_dim, "key_rotation_block");
  check_rotation_block(given.value_rotation_block, value_dim, "value_rotation_block");
  check_flag(given.center_keys, "center_keys");
  check_flag(given.scale_search, "scale_search");
  check_range(given.sink_tokens, 0, 64, "sink_tokens");
  check_range(given.recent_blocks, 0, 1024, "recent_blocks");
  if (given.exact_dtype != TQ_DTYPE_AUTO && given.exact_dtype != TQ_F16 && given.exact_dtype != TQ_BF16)
    invalid("exact_dtype is %u; expected TQ_DTYPE_AUTO (0), TQ_F16 (2) or TQ_BF16 (3)", given.exact_dtype);

  LayerOptions options;
  options.kv_heads = given.kv_heads;
  options.keys = {format_from(given.key_format, "key_format"), given.key_dim, given.key_group_size,
                  given.key_rotation_block};
  options.values = {format_from(given.value_format, "value_format"), value_dim, given.value_group_size,
                    given.value_rotation_block};
  options.center_keys = given.center_keys != 0;
  options.search = given.scale_search;
  options.sink_tokens = given.sink_tokens;
  options.recent_blocks = given.recent_blocks;
  options.exact_dtype = given.exact_dtype;
  options.window = given.window;
  options.seed = given.seed;
  return options;
}

tq_layer_options as_given(const LayerOptions& options) {
  tq_layer_options given = default_layer_options();
  given.struct_size = sizeof given;
  given.kv_heads = options.kv_heads;
  given.key_dim = options.keys.dim;
  given.value_dim = options.values.dim;
  given.key_format = static_cast<tq_format>(options.keys.format);
  given.value_format = static_cast<tq_format>(options.values.format);
  given.key_group_size = options.keys.group;
  given.value_group_size = options.values.group;
  given.key_rotation_block = options.keys.rotation_block;
  given.value_rotation_block = options.values.rotation_block;
  given.center_keys = options.center_keys ? 1 : 0;
  given.scale_search = options.search;
  given.sink_tokens = options.sink_tokens;
  given.recent_blocks = options.recent_blocks;
  given.exact_dtype = options.exact_dtype;
  given.window = options.window;
  given.seed = options.seed;
  return given;
}

}  // namespace tq::capi
