#include "tests/fakes/s3_request_check.hpp"

#include "http/date.hpp"
#include "http/digest.hpp"
#include "pipeline/bytes.hpp"
#include "storage/provider_answer.hpp"
#include "storage/sigv4.hpp"
#include "tests/fakes/checksums.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

namespace firehose::fakes {
namespace sigv4 = storage::sigv4;
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::chrono::minutes tolerated{15};

/// Of the Authorization header or of the query.
struct claim {
    std::string access_key_id{}, date{}, region{}, service{}, stamp{}, signature{}, token{};
    std::vector<std::string> signed_names{};
    std::optional<std::chrono::seconds> expires{};  ///< of a presigned query
};

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> out;
    while (true) {
        const auto end = text.find(at);
        out.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
}

std::string value_in(std::string_view authorization, std::string_view name) {
    const auto from = authorization.find(std::string(name) + "=");
    if (from == std::string_view::npos) return {};
    const auto rest = authorization.substr(from + name.size() + 1);
    return std::string(rest.substr(0, rest.find_first_of(", ")));
}

bool read_scope(const std::string& credential, claim& out) {
    const auto parts = split(credential, '/');
    if (parts.size() != 5 || parts[4] != "aws4_request") return false;
    out.access_key_id = parts[0];
    out.date = parts[1];
    out.region = parts[2];
    out.service = parts[3];
    return true;
}

std::optional<claim> read_claim(const fake_request& r) {
    claim out;
    const auto authorization = r.header("Authorization");
    if (r.parameter("X-Amz-Signature")) {
        const auto of = [&r](std::string_view name) { return r.parameter(name).value_or(""); };
        out.signed_names = split(of("X-Amz-SignedHeaders"), ';');
        out.signature = of("X-Amz-Signature");
        out.stamp = of("X-Amz-Date");
        out.token = of("X-Amz-Security-Token");
        const auto seconds = storage::whole_number(of("X-Amz-Expires"));
        out.expires = std::chrono::seconds(seconds.value_or(0));
        if (of("X-Amz-Algorithm") != algorithm || !read_scope(of("X-Amz-Credential"), out))
            return std::nullopt;
        return out;
    }
    out.signed_names = split(value_in(authorization, "SignedHeaders"), ';');
    out.signature = value_in(authorization, "Signature");
    out.stamp = r.header("x-amz-date");
    out.token = r.header("x-amz-security-token");
    if (!authorization.starts_with(algorithm) || !read_scope(value_in(authorization, "Credential"), out))
        return std::nullopt;
    return out;
}

/// "20130524T000000Z".
std::optional<time_source::wall> time_of(std::string_view stamp) {
    if (stamp.size() != 16 || stamp[8] != 'T' || stamp[15] != 'Z') return std::nullopt;
    const auto number = [stamp](std::size_t at, std::size_t width) {
        return storage::whole_number(stamp.substr(at, width));
    };
    const auto year = number(0, 4), month = number(4, 2), day = number(6, 2);
    const auto hour = number(9, 2), minute = number(11, 2), second = number(13, 2);
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

std::optional<s3_refusal> check_clock(const claim& c, time_source::wall now) {
    const auto when = time_of(c.stamp);
    if (!when || c.stamp.substr(0, 8) != c.date)
        return s3_refusal{
            403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", {}};
    if (c.expires) {
        if (now > *when + *c.expires) return s3_refusal{403, "AccessDenied", "Request has expired", {}};
        if (now + tolerated < *when) return s3_refusal{403, "AccessDenied", "Request is not yet valid", {}};
    } else if (std::chrono::abs(now - *when) > tolerated) {
        return s3_refusal{403,
                          "RequestTimeTooSkewed",
                          "The difference between the request time and the current time is too large.",
                          {}};
    }
    return std::nullopt;
}

std::optional<s3_refusal> check_token(const claim& c, const s3_user& user, time_source::wall now) {
    if (c.token != user.session_token)
        return s3_refusal{400, "InvalidToken", "The provided token is malformed or otherwise invalid.", {}};
    if (user.token_expires && now >= *user.token_expires)
        return s3_refusal{400, "ExpiredToken", "The provided token has expired.", {}};
    return std::nullopt;
}

bool is_named(const claim& c, std::string_view name) {
    return std::ranges::any_of(c.signed_names, [name](const auto& n) { return http::same_name(n, name); });
}

/// What must be signed and is not: Host and everything of Amazon's.
bool leaves_out(const claim& c, const fake_request& r) {
    if (!is_named(c, "host")) return true;
    return std::ranges::any_of(r.headers, [&c](const auto& header) {
        return http::same_name(std::string_view(header.first).substr(0, 6), "x-amz-") &&
               !is_named(c, header.first);
    });
}

/// The query as it was before it was signed.
std::string unsigned_query(const fake_request& r) {
    constexpr std::array<std::string_view, 7> added = {
        "X-Amz-Algorithm", "X-Amz-Credential",     "X-Amz-Date",         "X-Amz-Expires",
        "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-SignedHeaders"};
    std::string out;
    for (const auto& [name, value] : r.parameters) {
        if (std::ranges::find(added, name) != added.end()) continue;
        if (!out.empty()) out += '&';
        out += http::encode_query(name) + "=" + http::encode_query(value);
    }
    return out;
}

std::string right_signature(const claim& c, const s3_user& user, const fake_request& r) {
    http::header_list headers;
    for (const auto& header : r.headers)
        if (is_named(c, header.first)) headers.push_back(header);
    const sigv4::identity who{c.access_key_id, user.secret_access_key, storage::secret(c.token)};
    sigv4::key_cache keys;
    constexpr auto rules = sigv4::path_rules::s3;
    if (c.expires) {
        const auto query = unsigned_query(r);
        const sigv4::subject what{r.method, r.path, query, headers, sigv4::unsigned_payload};
        return sigv4::presign(what, who, c.region, c.service, c.stamp, *c.expires, rules, keys).signature;
    }
    const auto hash = r.header("x-amz-content-sha256");
    const sigv4::subject what{r.method, r.path, r.query(), headers, hash};
    return sigv4::sign_headers(what, who, c.region, c.service, c.stamp, rules, keys).signature;
}

}  // namespace

std::string s3_user_of(const fake_request& r) {
    const auto c = read_claim(r);
    return c ? c->access_key_id : std::string();
}

std::optional<s3_refusal> check_s3_signature(const fake_request& r,
                                             const std::map<std::string, s3_user, std::less<>>& users,
                                             const std::string& region, time_source::wall now) {
    if (r.header("Authorization").empty() && !r.parameter("X-Amz-Signature"))
        return s3_refusal{403, "AccessDenied", "Access Denied", {}};
    const auto c = read_claim(r);
    if (!c || c->service != "s3")
        return s3_refusal{400, "AuthorizationHeaderMalformed", "The authorization header is malformed", {}};
    const auto user = users.find(c->access_key_id);
    if (user == users.end())
        return s3_refusal{403,
                          "InvalidAccessKeyId",
                          "The AWS Access Key Id you provided does not exist in our records.",
                          {}};
    if (c->region != region)
        return s3_refusal{400, "AuthorizationHeaderMalformed",
                          "The region '" + c->region + "' is wrong; expecting '" + region + "'", region};
    if (auto wrong = check_clock(*c, now)) return wrong;
    if (auto wrong = check_token(*c, user->second, now)) return wrong;
    if (leaves_out(*c, r))
        return s3_refusal{
            403, "AccessDenied", "There were headers present in the request which were not signed", {}};
    if (right_signature(*c, user->second, r) != c->signature)
        return s3_refusal{403,
                          "SignatureDoesNotMatch",
                          "The request signature we calculated does not match the signature you provided.",
                          {}};
    return std::nullopt;
}

std::optional<s3_refusal> check_s3_checksums(const http::header_list& headers, const std::string& body) {
    for (const auto& [name, value] : headers) {
        const auto right = s3_checksum(name, body);
        if (!right || *right == value || value.find('-') != std::string::npos) continue;
        return s3_refusal{
            400, "BadDigest", "The " + name + " you specified did not match the calculated checksum.", {}};
    }
    return std::nullopt;
}

std::optional<s3_refusal> check_s3_body(const fake_request& r) {
    const auto claimed = r.header("x-amz-content-sha256");
    if (claimed == sigv4::unsigned_payload) {
        if (!r.to.tls)
            return s3_refusal{
                400, "InvalidRequest", "UNSIGNED-PAYLOAD is taken over TLS only by this fake", {}};
    } else if (claimed.empty() && !r.parameter("X-Amz-Signature")) {
        return s3_refusal{
            400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256", {}};
    } else if (!claimed.empty() && claimed != http::to_hex(http::sha256(r.body))) {
        return s3_refusal{400,
                          "XAmzContentSHA256Mismatch",
                          "The provided 'x-amz-content-sha256' header does not match what was computed.",
                          {}};
    }
    const auto md5 = r.header("Content-MD5");
    if (!md5.empty() && md5 != md5_base64(r.body))
        return s3_refusal{
            400, "BadDigest", "The Content-MD5 you specified did not match what we received.", {}};
    if (r.operation != "put" && r.operation != "put_part") return std::nullopt;
    return check_s3_checksums(r.headers, r.body);
}

}  // namespace firehose::fakes
