/// SHA-256 of a text in hex, for names. Internal to storage: not installed.
#pragma once
#include <string>
#include <string_view>

namespace firehose::storage {

/// 64 lower-case hex digits. Throws only when OpenSSL cannot provide SHA-256 at all.
std::string sha256_hex(std::string_view text);

}  // namespace firehose::storage
