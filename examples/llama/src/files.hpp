// Reading whole files: text, JSON, and the token ids that a model folder may bring along as .npy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace llama {

using TokenId = std::int32_t;

// `what` names the file in the message if it cannot be read: "--text", "the model's config".
std::string read_file(const std::filesystem::path& path, std::string_view what);

nlohmann::json read_json(const std::filesystem::path& path, std::string_view what);

// The first `limit` elements of a one-dimensional little-endian uint16 .npy file.
std::vector<TokenId> read_token_ids(const std::filesystem::path& path, std::size_t limit);

}  // namespace llama
