// The tensors of a model folder: model.safetensors, or the shards that model.safetensors.index.json lists.
//
// A .safetensors file is: the length of a JSON header (8 bytes, little-endian), the header, the data. For each tensor
// the header gives a dtype, a shape and where its bytes begin and end within the data. Nothing in it is believed
// before it is checked, so a damaged file ends in a sentence.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace llama {

enum class TensorType { kF32, kF16, kBf16 };

struct TensorInfo {
  std::filesystem::path file;
  TensorType type = TensorType::kF32;
  std::vector<std::size_t> shape;
  std::uint64_t begin = 0;  // of its bytes, from the start of the file
  std::size_t elements = 0;
};

class Tensors {
 public:
  explicit Tensors(const std::filesystem::path& model_folder);

  bool contains(const std::string& name) const { return tensors_.contains(name); }

  // The tensor as f32, row-major. Refuses a tensor that is missing or has another shape.
  std::vector<float> load(const std::string& name, const std::vector<std::size_t>& shape) const;

 private:
  void add_file(const std::filesystem::path& path);

  std::map<std::string, TensorInfo> tensors_;
};

}  // namespace llama
