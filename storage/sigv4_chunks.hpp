/// Signatures of bodies that are sent chunk by chunk in AWS's own coding, "aws-chunked".
#pragma once
#include "storage/sigv4.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace firehose::storage::sigv4 {

/// x-amz-content-sha256 of such a request.
inline constexpr std::string_view chunked_payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
inline constexpr std::string_view chunked_payload_with_trailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";

struct signed_chunk {
    std::string string_to_sign{};
    std::string signature{};
};

/// Each signature covers the one before it, the first that of the request's head, and so the order. After the
/// chunks comes an empty one, and after that the trailing headers, if any. For bodies whose hash is not known
/// when the head is sent; those that are at hand are cheaper to sign as a whole. Single shard.
class chunk_signer {
public:
    chunk_signer(const identity& who, std::string_view region, std::string_view service,
                 std::string_view stamp, std::string head_signature);

    signed_chunk chunk(std::span<const std::span<const std::byte>> data);
    /// Names in lower case and in order, as they are sent.
    signed_chunk trailer(const http::header_list& headers);

private:
    signed_chunk sign(std::string_view algorithm, std::string_view hashes);

    scope scope_;
    std::string stamp_;
    std::string before_;
    http::hmac_key key_;
};

/// What stands before the bytes of a chunk: length in hexadecimal, signature, end of line.
std::string chunk_head(std::size_t length, const signed_chunk& of);

}  // namespace firehose::storage::sigv4
