#include "storage/s3_headers.hpp"

#include "http/digest.hpp"
#include "http/url.hpp"
#include "pipeline/bytes.hpp"
#include "storage/crc32c.hpp"
#include "storage/crc64nvme.hpp"
#include "storage/sigv4.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firehose::storage {

namespace {

template <class Number> std::string big_endian(Number value) {
    std::array<std::byte, sizeof(Number)> bytes;
    for (auto at = bytes.rbegin(); at != bytes.rend(); ++at, value >>= 8)
        *at = static_cast<std::byte>(value & 0xffu);
    return http::to_base64(bytes);
}

bool is_label_name(std::string_view name) noexcept {
    const auto fits = [](char c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return letter || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !name.empty() && std::ranges::all_of(name, fits);
}

bool is_header_text(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

object_labels merged(const object_labels& general, const object_labels& special) {
    object_labels out = general;
    for (const auto& label : special) {
        const auto same = std::ranges::find_if(
            out, [&label](const auto& each) { return http::same_name(each.first, label.first); });
        if (same == out.end())
            out.push_back(label);
        else
            same->second = label.second;
    }
    return out;
}

void add_encryption(http::header_list& out, const encryption_settings& how) {
    if (how.algorithm.empty()) return;
    const std::string start = "x-amz-server-side-encryption";
    out.emplace_back(start, how.algorithm);
    if (!how.kms_key_id.empty()) out.emplace_back(start + "-aws-kms-key-id", how.kms_key_id);
    if (!how.kms_context.empty())
        out.emplace_back(start + "-context", http::to_base64(as_bytes(how.kms_context)));
    if (how.bucket_key) out.emplace_back(start + "-bucket-key-enabled", "true");
}

error unsendable(const std::string& what) {
    return {disposition::park, what +
                                   ": S3 takes visible ASCII characters only, in a name letters, digits, '-' "
                                   "and '_'"};
}

}  // namespace

s3_body_guard choose_guard(const destination_settings& given, bool own_endpoint, bool tls) noexcept {
    s3_body_guard out;
    out.checksum = given.checksum;
    if (out.checksum == checksum_choice::automatic)
        out.checksum = own_endpoint ? checksum_choice::when_required : checksum_choice::crc32c;
    out.unsigned_payload = given.unsigned_payload && tls && out.has_checksum();
    return out;
}

std::string_view checksum_name(checksum_choice which) noexcept {
    switch (which) {
        case checksum_choice::crc32c: return "CRC32C";
        case checksum_choice::crc64nvme: return "CRC64NVME";
        case checksum_choice::automatic:
        case checksum_choice::when_required: break;
    }
    return {};
}

std::string checksum_text(checksum_choice which, const payload& body) {
    if (which == checksum_choice::crc32c) {
        std::uint32_t sum = 0;
        for (const auto piece : body) sum = crc32c(piece, sum);
        return big_endian(sum);
    }
    if (which == checksum_choice::crc64nvme) {
        std::uint64_t sum = 0;
        for (const auto piece : body) sum = crc64nvme(piece, sum);
        return big_endian(sum);
    }
    return {};
}

std::string guard_body(http::request& req, const s3_body_guard& how) {
    std::string hash(how.unsigned_payload ? sigv4::unsigned_payload : sigv4::empty_payload_hash);
    if (!how.unsigned_payload && http::body_size(req) > 0) hash = http::to_hex(http::sha256(req.body));
    http::set_header(req.headers, "x-amz-content-sha256", std::move(hash));
    auto sum = checksum_text(how.checksum, req.body);
    if (!how.has_checksum()) return sum;
    const std::string_view name = checksum_name(how.checksum);
    req.headers.emplace_back("x-amz-sdk-checksum-algorithm", name);
    const bool shorter = how.checksum == checksum_choice::crc32c;
    req.headers.emplace_back(shorter ? "x-amz-checksum-crc32c" : "x-amz-checksum-crc64nvme", sum);
    return sum;
}

result<http::header_list> object_headers(const destination_settings& given, const put_options& how) {
    http::header_list out;
    out.reserve(8);
    out.emplace_back("Content-Type", how.content_type);
    if (!how.content_encoding.empty()) out.emplace_back("Content-Encoding", how.content_encoding);
    if (!given.storage_class.empty()) out.emplace_back("x-amz-storage-class", given.storage_class);
    add_encryption(out, given.encryption);
    for (const auto& [name, value] : merged(given.metadata, how.metadata)) {
        if (!is_label_name(name) || !is_header_text(value)) return unsendable("metadata " + name);
        out.emplace_back("x-amz-meta-" + name, value);
    }
    std::string tags;
    for (const auto& [name, value] : merged(given.tags, how.tags)) {
        if (!tags.empty()) tags += '&';
        tags.append(http::encode_query(name)).append("=").append(http::encode_query(value));
    }
    if (!tags.empty()) out.emplace_back("x-amz-tagging", std::move(tags));
    for (const auto& [name, value] : out)
        if (!is_header_text(value)) return unsendable("header " + name);
    return out;
}

}  // namespace firehose::storage
