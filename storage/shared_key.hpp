/// Azure's SharedKey: pure functions from a request and an account's key to a signature (2015-02-21 rules).
#pragma once
#include "http/digest.hpp"
#include "http/message.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace firehose::storage::shared_key {

/// What is signed. Views; content_length is what the connection will send.
struct subject {
    std::string_view method{};
    std::string_view path{};   ///< as on the request line, the account of a path-style endpoint included
    std::string_view query{};  ///< as on the request line, without '?'
    const http::header_list& headers;
    std::uint64_t content_length = 0;
};

/// The headers are sorted as the service sorts them, see comes_before(). Equal names keep their first value.
std::string string_to_sign(const subject& what, std::string_view account);

/// "SharedKey account:signature". The key's state is prepared once, from the decoded AccountKey.
std::string authorization(http::hmac_key& key, std::string_view account, std::string_view to_sign);

/// The order of lower-case header names in the service: hyphens are ignored, other punctuation comes before
/// digits and these before letters; where only hyphens differ, the name without one comes first.
constexpr bool comes_before(std::string_view a, std::string_view b) noexcept {
    const auto rank = [](char c) {
        const int kind = c >= '0' && c <= '9' ? 1 : c >= 'a' && c <= 'z' ? 2 : 0;
        return kind * 256 + static_cast<unsigned char>(c);
    };
    for (std::size_t i = 0, k = 0;; ++i, ++k) {
        while (i < a.size() && a[i] == '-') ++i;
        while (k < b.size() && b[k] == '-') ++k;
        const bool a_ends = i >= a.size();
        if (a_ends || k >= b.size()) {
            if (a_ends != (k >= b.size())) return a_ends;
            break;
        }
        if (a[i] != b[k]) return rank(a[i]) < rank(b[k]);
    }
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        if (a[i] != b[i]) return b[i] == '-';
    return a.size() < b.size();
}

/// The x-ms- headers that requests may carry, besides metadata. Servers other than Azure sort by other rules,
/// so only names are used on which all rules agree.
inline constexpr std::array<std::string_view, 9> used_names = {"x-ms-access-tier",
                                                               "x-ms-blob-content-encoding",
                                                               "x-ms-blob-content-type",
                                                               "x-ms-blob-type",
                                                               "x-ms-client-request-id",
                                                               "x-ms-content-crc64",
                                                               "x-ms-date",
                                                               "x-ms-tags",
                                                               "x-ms-version"};

/// Metadata is signed under this prefix, with names of lower-case letters and digits.
inline constexpr std::string_view metadata_prefix = "x-ms-meta-";

/// Sorted in byte order and in the service's; and of lower-case letters, digits and hyphens only, for which
/// the order of a Unicode locale, which is the emulator's, is that of the bytes.
template <std::size_t N> constexpr bool all_orders_agree(const std::array<std::string_view, N>& names) {
    for (const auto name : names)
        for (const char c : name)
            if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
    for (std::size_t i = 0; i < N; ++i)
        for (std::size_t k = i + 1; k < N; ++k)
            if (!(names[i] < names[k]) || !comes_before(names[i], names[k])) return false;
    return true;
}
static_assert(all_orders_agree(used_names));

/// False for an x-ms- header that is neither in used_names nor metadata of a name that sorts alike
/// everywhere; names of other headers do not matter here.
bool may_carry(std::string_view header_name);

}  // namespace firehose::storage::shared_key
