#include "files.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "error.hpp"

namespace llama {

std::string read_file(const std::filesystem::path& path, std::string_view what) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    refuse(what, " is the folder ", path.string(), ": give the path of a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse(what, " is ", path.string(), ", which cannot be opened: check that it exists and is readable");
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) refuse(what, " is ", path.string(), ", which cannot be read to its end: check the file");
  return text;
}

nlohmann::json read_json(const std::filesystem::path& path, std::string_view what) {
  const std::string text = read_file(path, what);
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    refuse(what, " is ", path.string(), ", which is not a JSON object: download the model folder again");
  return json;
}

// Layout of .npy: "\x93NUMPY", version (2 bytes), header length (2 bytes little-endian in version 1), the header as the
// text of a Python dictionary, the elements.
std::vector<TokenId> read_token_ids(const std::filesystem::path& path, std::size_t limit) {
  constexpr std::size_t kPrefix = 10;
  const std::string file = read_file(path, "the file of token ids");
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(file[i]); };
  if (file.size() < kPrefix || file.compare(0, 6, "\x93NUMPY") != 0 || byte(6) != 1)
    refuse(path.string(), " is not a version 1 .npy file: write it with numpy.save");
  const std::size_t data = kPrefix + byte(8) + 256u * byte(9);
  if (data > file.size()) refuse(path.string(), " is cut off within its header: copy the file again");
  const std::string header = file.substr(kPrefix, data - kPrefix);
  if (header.find("'<u2'") == std::string::npos || header.find(",)") == std::string::npos)
    refuse(path.string(), " has the header ", header, ": token ids must be a one-dimensional array of uint16");

  std::vector<TokenId> ids(std::min(limit, (file.size() - data) / 2));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = byte(data + 2 * i) + 256 * byte(data + 2 * i + 1);
  return ids;
}

}  // namespace llama
