#include "storage/sigv4_chunks.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace firehose::storage::sigv4 {

chunk_signer::chunk_signer(const identity& who, std::string_view region, std::string_view service,
                           std::string_view stamp, std::string head_signature)
    : scope_{std::string(stamp.substr(0, 8)), std::string(region), std::string(service)},
      stamp_(stamp),
      before_(std::move(head_signature)),
      key_(derive_key(who.secret_access_key, scope_)) {}

signed_chunk chunk_signer::sign(std::string_view algorithm, std::string_view hashes) {
    signed_chunk out;
    auto& text = out.string_to_sign;
    text.append(algorithm).append("\n").append(stamp_).append("\n").append(scope_.text()).append("\n");
    text.append(before_).append("\n").append(hashes);
    out.signature = http::to_hex(key_(text));
    before_ = out.signature;
    return out;
}

signed_chunk chunk_signer::chunk(std::span<const std::span<const std::byte>> data) {
    const std::string headers(empty_payload_hash);  // a chunk has none
    return sign("AWS4-HMAC-SHA256-PAYLOAD", headers + "\n" + http::to_hex(http::sha256(data)));
}

signed_chunk chunk_signer::trailer(const http::header_list& headers) {
    std::string lines;
    for (const auto& [name, value] : headers) lines.append(name).append(":").append(value).append("\n");
    return sign("AWS4-HMAC-SHA256-TRAILER", http::to_hex(http::sha256(lines)));
}

std::string chunk_head(std::size_t length, const signed_chunk& of) {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), length, 16).ptr;
    return std::string(digits.data(), end) + ";chunk-signature=" + of.signature + "\r\n";
}

}  // namespace firehose::storage::sigv4
