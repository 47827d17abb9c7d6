/// SHA-256, HMAC-SHA-256, MD5, hexadecimal and base64, over OpenSSL.
#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::http {

using sha256_value = std::array<std::byte, 32>;
using md5_value = std::array<std::byte, 16>;

/// Hashing cannot fail for a reason other than lack of memory, which throws std::bad_alloc.
sha256_value sha256(std::string_view data);
sha256_value sha256(std::span<const std::span<const std::byte>> parts);
md5_value md5(std::span<const std::span<const std::byte>> parts);
sha256_value hmac_sha256(std::span<const std::byte> key, std::string_view data);

/// HMAC-SHA-256 under one key, many times: the key's two blocks are hashed once, when it is made.
/// Single thread. Move only.
class hmac_key {
public:
    explicit hmac_key(std::span<const std::byte> key);
    hmac_key(hmac_key&&) noexcept;
    hmac_key& operator=(hmac_key&&) noexcept;
    ~hmac_key();
    sha256_value operator()(std::string_view data);

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Lower case.
std::string to_hex(std::span<const std::byte> bytes);
void append_hex(std::string& out, std::span<const std::byte> bytes);
std::string to_base64(std::span<const std::byte> bytes);
/// Standard alphabet with padding; nothing when the text is anything else.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace firehose::http
