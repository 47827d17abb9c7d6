#include "storage/s3_presign.hpp"

#include "http/url.hpp"

#include <algorithm>
#include <array>

namespace firehose::storage {

result<std::string> presign_s3(const sigv4::identity& who, const s3_location& at, std::string_view key,
                               const presign_options& how, time_source::wall now) {
    constexpr std::array<std::string_view, 5> methods = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    constexpr std::chrono::seconds longest = std::chrono::days(7);
    if (std::ranges::find(methods, how.method) == methods.end())
        return error(disposition::park, "a URL cannot be signed for the method " + how.method);
    if (how.expires < std::chrono::seconds(1) || how.expires > longest)
        return error(disposition::park, "a signed URL is good for 1 second to 7 days");

    http::header_list headers = how.headers;
    http::set_header(headers, "Host", http::host_header(at.to));
    std::string query;
    for (const auto& [name, value] : how.query) {
        if (!query.empty()) query += '&';
        query.append(http::encode_query(name)).append("=").append(http::encode_query(value));
    }
    const std::string path = at.base + "/" + http::encode_path(key);
    const sigv4::subject what{how.method, path, query, headers, sigv4::unsigned_payload};
    sigv4::key_cache keys;
    const auto stamp = sigv4::format_stamp(now);
    const auto done =
        sigv4::presign(what, who, at.region, "s3", stamp, how.expires, sigv4::path_rules::s3, keys);
    return (at.to.tls ? "https://" : "http://") + http::host_header(at.to) + path + "?" + done.query;
}

}  // namespace firehose::storage
