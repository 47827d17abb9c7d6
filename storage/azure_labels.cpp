#include "storage/azure_labels.hpp"

#include "http/digest.hpp"
#include "http/url.hpp"
#include "pipeline/text.hpp"
#include "storage/crc64nvme.hpp"

#include <algorithm>
#include <array>

namespace firehose::storage {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// `more` after `first`, instead of those of the same name.
object_labels joined(const object_labels& first, const object_labels& more) {
    object_labels out;
    for (const auto& label : first) {
        const bool replaced = std::ranges::any_of(
            more, [&label](const auto& other) { return http::same_name(other.first, label.first); });
        if (!replaced) out.push_back(label);
    }
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

/// The least significant byte first, as Azure writes it.
std::string crc64_of(const payload& body) {
    std::uint64_t crc = 0;
    for (const auto& part : body) crc = crc64nvme(part, crc);
    std::array<std::byte, 8> bytes;
    for (auto& b : bytes) {
        b = static_cast<std::byte>(crc & 0xff);
        crc >>= 8;
    }
    return http::to_base64(bytes);
}

}  // namespace

bool keeps_metadata_name(std::string_view name) noexcept {
    return !name.empty() && is_letter(name.front()) &&
           std::ranges::all_of(name, [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

void add_labels(http::header_list& headers, const destination_settings& given, const put_options& how) {
    if (!how.content_encoding.empty())
        headers.emplace_back("x-ms-blob-content-encoding", how.content_encoding);
    if (!given.access_tier.empty()) headers.emplace_back("x-ms-access-tier", given.access_tier);
    for (const auto& [name, value] : joined(given.metadata, how.metadata))
        if (keeps_metadata_name(name)) headers.emplace_back("x-ms-meta-" + to_lower(name), value);
    std::string tags;
    for (const auto& [name, value] : joined(given.tags, how.tags)) {
        if (!tags.empty()) tags += '&';
        tags.append(http::encode_query(name)).append("=").append(http::encode_query(value));
    }
    if (!tags.empty()) headers.emplace_back("x-ms-tags", std::move(tags));
}

void add_checksum(http::header_list& headers, const destination_settings& given, const payload& body) {
    if (given.checksum == checksum_choice::crc64nvme)
        headers.emplace_back("x-ms-content-crc64", crc64_of(body));
    else
        headers.emplace_back("Content-MD5", http::to_base64(http::md5(body)));
}

}  // namespace firehose::storage
