#include "tensors.hpp"

#include <bit>
#include <cstring>
#include <fstream>
#include <set>

#include "error.hpp"
#include "files.hpp"
#include "half.hpp"

static_assert(std::endian::native == std::endian::little, "the bytes of a .safetensors file are used as they are");

namespace llama {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::uint64_t kMaxElements = 1ull << 40;

std::size_t element_bytes(TensorType type) { return type == TensorType::kF32 ? 4 : 2; }

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

json read_header(std::ifstream& in, const fs::path& path, std::uint64_t file_bytes) {
  std::uint64_t length = 0;
  if (file_bytes < sizeof length || !in.read(reinterpret_cast<char*>(&length), sizeof length))
    refuse(path.string(), " has ", file_bytes, " bytes, too few for a .safetensors file: copy it again");
  if (length > file_bytes - sizeof length || length > kMaxHeaderBytes)
    refuse(path.string(), " announces a header of ", length, " bytes in a file of ", file_bytes,
           ": it is cut off or not a .safetensors file; copy it again");
  std::string text(length, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(length)))
    refuse(path.string(), " cannot be read to the end of its header: copy it again");
  json header = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) refuse(path.string(), " has a header that is not a JSON object: copy it again");
  return header;
}

bool is_list_of_naturals(const json& list) {
  if (!list.is_array()) return false;
  for (const json& item : list)
    if (!item.is_number_unsigned()) return false;
  return true;
}

TensorType tensor_type(const json& entry, const std::string& name, const fs::path& path) {
  const std::string dtype =
      entry.contains("dtype") && entry["dtype"].is_string() ? entry["dtype"].get<std::string>() : "";
  if (dtype == "F32") return TensorType::kF32;
  if (dtype == "F16") return TensorType::kF16;
  if (dtype == "BF16") return TensorType::kBf16;
  refuse("tensor ", name, " in ", path.string(), " has the type '", dtype,
         "': only F32, F16 and BF16 are read; use the model's 16-bit folder");
}

// `data` is where the data begin in the file, `data_bytes` how many there are.
TensorInfo tensor_info(const json& entry, const std::string& name, const fs::path& path, std::uint64_t data,
                       std::uint64_t data_bytes) {
  if (!entry.is_object() || !is_list_of_naturals(entry.value("shape", json())) ||
      !is_list_of_naturals(entry.value("data_offsets", json())) || entry["data_offsets"].size() != 2)
    refuse("tensor ", name, " in ", path.string(), " has a header entry without shape or data_offsets: copy it again");

  TensorInfo info;
  info.file = path;
  info.type = tensor_type(entry, name, path);
  info.shape = entry["shape"].get<std::vector<std::size_t>>();
  info.elements = 1;
  for (const std::size_t size : info.shape) {
    if (size != 0 && info.elements > kMaxElements / size)
      refuse("tensor ", name, " in ", path.string(), " has the shape ", shape_text(info.shape),
             ", more elements than any model has: copy the file again");
    info.elements *= size;
  }
  const auto begin = entry["data_offsets"][0].get<std::uint64_t>(), end = entry["data_offsets"][1].get<std::uint64_t>();
  if (begin > end || end > data_bytes || end - begin != info.elements * element_bytes(info.type))
    refuse("tensor ", name, " in ", path.string(), " has the shape ", shape_text(info.shape), " but lies at bytes ",
           begin, " to ", end, " of ", data_bytes, ": the file is cut off or damaged; copy it again");
  info.begin = data + begin;
  return info;
}

// The names of the shards; refused if they could lead out of the folder.
std::set<std::string> shard_names(const fs::path& index) {
  const json object = read_json(index, "--model's shard index");
  const json weight_map = object.value("weight_map", json::object());
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map.items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || name.find_first_of("/\\") != std::string::npos || name == "..")
      refuse(index.string(), " puts tensor ", tensor, " into the file ", file.dump(),
             ": shards must lie in the model's folder");
    names.insert(name);
  }
  if (names.empty()) refuse(index.string(), " lists no tensors: download the model folder again");
  return names;
}

}  // namespace

Tensors::Tensors(const fs::path& model_folder) {
  const fs::path single = model_folder / "model.safetensors", index = model_folder / "model.safetensors.index.json";
  if (fs::exists(single)) {
    add_file(single);
  } else if (fs::exists(index)) {
    for (const std::string& name : shard_names(index)) add_file(model_folder / name);
  } else {
    refuse("--model is ", model_folder.string(), ", which has neither model.safetensors nor ",
           "model.safetensors.index.json: give a folder with weights in .safetensors files");
  }
}

void Tensors::add_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::error_code error;
  const std::uint64_t file_bytes = fs::file_size(path, error);
  if (!in || error) refuse("the weights are in ", path.string(), ", which cannot be opened: download the folder again");
  const json header = read_header(in, path, file_bytes);
  const auto data = static_cast<std::uint64_t>(in.tellg());
  for (const auto& [name, entry] : header.items())
    if (name != "__metadata__") tensors_[name] = tensor_info(entry, name, path, data, file_bytes - data);
}

std::vector<float> Tensors::load(const std::string& name, const std::vector<std::size_t>& shape) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    refuse("the model has no tensor ", name, ": give --model a folder whose config.json and weights belong together");
  const TensorInfo& info = found->second;
  if (info.shape != shape)
    refuse("tensor ", name, " in ", info.file.string(), " has the shape ", shape_text(info.shape),
           ", but config.json asks for ", shape_text(shape),
           ": give --model a folder whose config.json and weights belong together");

  std::vector<char> bytes(info.elements * element_bytes(info.type));
  std::ifstream in(info.file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(info.begin));
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
    refuse("tensor ", name, " in ", info.file.string(), " cannot be read: copy the file again");

  std::vector<float> values(info.elements);
  if (info.type == TensorType::kF32) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t half;
    std::memcpy(&half, bytes.data() + 2 * i, sizeof half);
    values[i] = info.type == TensorType::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
  }
  return values;
}

}  // namespace llama
