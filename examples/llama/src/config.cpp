#include "config.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "error.hpp"

namespace llama {
namespace {

using nlohmann::json;

constexpr std::array kArchitectures = {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM",
                                       "Qwen3ForCausalLM"};

bool given(const json& object, const char* key) { return object.contains(key) && !object.at(key).is_null(); }

std::size_t whole_number(const json& object, const char* key, std::size_t most) {
  if (!given(object, key)) refuse("config.json has no ", key, ": this is not the folder of a Llama-style model");
  const json& value = object.at(key);
  if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > static_cast<double>(most))
    refuse("config.json has ", key, " ", value.dump(), ": it must be a whole number from 1 to ", most);
  return value.get<std::size_t>();
}

float positive_number(const json& object, const char* key, float otherwise) {
  if (!given(object, key)) return otherwise;
  const json& value = object.at(key);
  if (!value.is_number() || !(value.get<double>() > 0.0) || value.get<double>() > 1e30)
    refuse("config.json has ", key, " ", value.dump(), ": it must be a positive number");
  return value.get<float>();
}

bool flag(const json& object, const char* key, bool otherwise) {
  if (!given(object, key)) return otherwise;
  if (!object.at(key).is_boolean())
    refuse("config.json has ", key, " ", object.at(key).dump(), ": it must be true or false");
  return object.at(key).get<bool>();
}

std::string word(const json& object, const char* key, std::string otherwise) {
  return given(object, key) && object.at(key).is_string() ? object.at(key).get<std::string>() : otherwise;
}

// The number itself, or the first of a list; -1 if there is none.
TokenId token_id(const json& object, const char* key) {
  if (!given(object, key)) return -1;
  json value = object.at(key);
  if (value.is_array() && !value.empty()) value = value.front();
  if (!value.is_number_integer() || value.get<double>() < 0 ||
      value.get<double>() > std::numeric_limits<TokenId>::max())
    refuse("config.json has ", key, " ", object.at(key).dump(), ": it must be a token id");
  return value.get<TokenId>();
}

std::string architecture(const json& object) {
  std::string name = "none";
  if (given(object, "architectures") && object["architectures"].is_array() && !object["architectures"].empty() &&
      object["architectures"][0].is_string())
    name = object["architectures"][0].get<std::string>();
  if (std::find(kArchitectures.begin(), kArchitectures.end(), name) == kArchitectures.end())
    refuse("config.json names the architecture ", name,
           ": this example runs LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM and Qwen3ForCausalLM; "
           "give --model a folder of one of these");
  return name;
}

// Things a model may ask for that would change its output, and that this example does not do.
void refuse_what_is_not_implemented(const json& object) {
  if (const std::string act = word(object, "hidden_act", "silu"); act != "silu")
    refuse("config.json has hidden_act ", act, ": only silu is implemented; use another model");
  if (flag(object, "mlp_bias", false))
    refuse("config.json has mlp_bias true, which is not implemented; use another model");
  if (given(object, "quantization_config"))
    refuse("config.json has a quantization_config: its weights are not plain numbers; use the model's 16-bit folder");
  if (positive_number(object, "partial_rotary_factor", 1.0f) != 1.0f)
    refuse("config.json has a partial_rotary_factor, which is not implemented; use another model");
  const bool uses_window = flag(object, "use_sliding_window", word(object, "model_type", "") == "mistral");
  if (uses_window && given(object, "sliding_window"))
    refuse("config.json has sliding_window ", object["sliding_window"].dump(),
           ", which this example does not use although tq_layer_options.window could; use a model without one");
}

// rope_theta and rope_scaling at the top in older folders, both inside rope_parameters in newer ones.
RopeConfig rope_config(const json& object) {
  RopeConfig rope;
  rope.theta = positive_number(object, "rope_theta", rope.theta);
  const char* key = given(object, "rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!given(object, key)) return rope;
  const json& scaling = object.at(key);
  if (!scaling.is_object()) refuse("config.json has ", key, " ", scaling.dump(), ": it must be an object");
  rope.theta = positive_number(scaling, "rope_theta", rope.theta);

  const std::string type = word(scaling, "rope_type", word(scaling, "type", "default"));
  if (type == "default") return rope;
  if (type != "linear" && type != "llama3")
    refuse("config.json has ", key, " of type ", type,
           ": only default, linear and llama3 are implemented; use another model");
  rope.scaling = type == "linear" ? RopeScaling::kLinear : RopeScaling::kLlama3;
  rope.factor = positive_number(scaling, "factor", rope.factor);
  rope.low_frequency_factor = positive_number(scaling, "low_freq_factor", rope.low_frequency_factor);
  rope.high_frequency_factor = positive_number(scaling, "high_freq_factor", rope.high_frequency_factor);
  rope.original_positions = positive_number(scaling, "original_max_position_embeddings", rope.original_positions);
  if (!(rope.high_frequency_factor > rope.low_frequency_factor))
    refuse("config.json has ", key, " with high_freq_factor not above low_freq_factor: the file is damaged");
  return rope;
}

}  // namespace

Config read_config(const std::filesystem::path& model_folder) {
  if (!std::filesystem::is_directory(model_folder))
    refuse("--model is ", model_folder.string(), ", which is not a folder: give the folder with config.json in it");
  const json object = read_json(model_folder / "config.json", "--model's config.json");

  Config config;
  config.architecture = architecture(object);
  refuse_what_is_not_implemented(object);
  config.vocabulary = whole_number(object, "vocab_size", 1u << 24);
  config.hidden = whole_number(object, "hidden_size", 1u << 20);
  config.intermediate = whole_number(object, "intermediate_size", 1u << 22);
  config.layers = whole_number(object, "num_hidden_layers", 4096);
  config.q_heads = whole_number(object, "num_attention_heads", 65536);
  config.kv_heads =
      given(object, "num_key_value_heads") ? whole_number(object, "num_key_value_heads", 65536) : config.q_heads;
  config.head_dim = given(object, "head_dim") ? whole_number(object, "head_dim", 1024) : config.hidden / config.q_heads;
  config.max_positions = whole_number(object, "max_position_embeddings", 1u << 24);
  config.norm_epsilon = positive_number(object, "rms_norm_eps", 1e-6f);
  config.rope = rope_config(object);
  config.tied_embeddings = flag(object, "tie_word_embeddings", false);
  config.eos = token_id(object, "eos_token_id");
  config.bos = given(object, "bos_token_id") ? token_id(object, "bos_token_id") : config.eos;

  if (config.q_heads % config.kv_heads != 0)
    refuse("config.json has ", config.q_heads, " attention heads for ", config.kv_heads,
           " key-value heads: the first must be a multiple of the second");
  if (config.head_dim % 2 != 0 || config.head_dim < 2 || config.head_dim > 1024)
    refuse("config.json gives a head_dim of ", config.head_dim, ": it must be even and from 2 to 1024");
  if (config.bos < 0)
    refuse("config.json has neither bos_token_id nor eos_token_id: add the token that starts a text as bos_token_id");
  return config;
}

}  // namespace llama
