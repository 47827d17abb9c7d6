#include "tests/fakes/checksums.hpp"

#include "http/digest.hpp"
#include "http/message.hpp"
#include "pipeline/bytes.hpp"

#include <boost/crc.hpp>
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <vector>

namespace firehose::fakes {
namespace {

// Made of a library of others, so that a checksum which the product got wrong does not pass here.
using crc32_sum = boost::crc_optimal<32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;
using crc32c_sum = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;
using crc64_sum =
    boost::crc_optimal<64, 0xAD93D23594C93659, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, true, true>;

enum class order { big_endian, little_endian };

template <class Sum> std::string crc_base64(std::string_view body, order how = order::big_endian) {
    Sum sum;
    sum.process_bytes(body.data(), body.size());
    constexpr std::size_t size = sizeof(typename Sum::value_type);
    std::array<std::byte, size> bytes;
    for (std::size_t i = 0; i < size; ++i) {
        const auto at = how == order::big_endian ? size - 1 - i : i;
        bytes[at] = static_cast<std::byte>(sum.checksum() >> (8 * i));
    }
    return http::to_base64(bytes);
}

std::string sha1_base64(std::string_view body) {
    std::array<std::byte, 20> digest{};
    EVP_Digest(body.data(), body.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha1(),
               nullptr);
    return http::to_base64(digest);
}

http::md5_value md5_of(std::string_view body) {
    const auto whole = as_bytes(body);
    return http::md5(std::span(&whole, 1));
}

}  // namespace

std::optional<std::string> s3_checksum(std::string_view header_name, std::string_view body) {
    const auto is = [header_name](std::string_view name) { return http::same_name(header_name, name); };
    if (is("x-amz-checksum-crc32")) return crc_base64<crc32_sum>(body);
    if (is("x-amz-checksum-crc32c")) return crc_base64<crc32c_sum>(body);
    if (is("x-amz-checksum-crc64nvme")) return crc_base64<crc64_sum>(body);
    if (is("x-amz-checksum-sha1")) return sha1_base64(body);
    if (is("x-amz-checksum-sha256")) return http::to_base64(http::sha256(body));
    return std::nullopt;
}

std::string azure_crc64(std::string_view body) { return crc_base64<crc64_sum>(body, order::little_endian); }
std::string md5_base64(std::string_view body) { return http::to_base64(md5_of(body)); }
std::string md5_hex(std::string_view body) { return http::to_hex(md5_of(body)); }

}  // namespace firehose::fakes
