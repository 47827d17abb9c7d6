#include "tests/fakes/azure_request_check.hpp"

#include "http/date.hpp"
#include "http/digest.hpp"
#include "storage/provider_answer.hpp"
#include "storage/shared_key.hpp"
#include "tests/fakes/checksums.hpp"

#include <chrono>

namespace firehose::fakes {
namespace shared_key = storage::shared_key;
namespace {

constexpr std::chrono::minutes tolerated{15};

azure_refusal not_authentic(std::string detail) {
    return {
        403, "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
        "correctly including the signature.\n" +
            std::move(detail)};
}

std::string signature_of(std::string_view key_base64, std::string_view text) {
    const auto bytes = http::from_base64(key_base64);
    return bytes ? http::to_base64(http::hmac_sha256(*bytes, text)) : std::string();
}

std::optional<azure_refusal> check_shared_key(const fake_request& r, const azure_access& with,
                                              time_source::wall now) {
    const auto dated = r.header("x-ms-date");
    const auto when = http::parse_date(dated.empty() ? r.header("Date") : dated);
    if (!when) return not_authentic("The Date header in the request is incorrect.");
    if (std::chrono::abs(now - *when) > tolerated)
        return not_authentic("Request date header too old: '" + dated + "'");
    const shared_key::subject what{r.method, r.path, r.query(), r.headers, r.body.size()};
    const auto text = shared_key::string_to_sign(what, with.account);
    const auto right = "SharedKey " + std::string(with.account) + ":" + signature_of(with.key_base64, text);
    if (r.header("Authorization") != right)
        return not_authentic("The MAC signature found in the HTTP request is not the same.");
    return std::nullopt;
}

std::string joined(std::initializer_list<std::string> lines) {
    std::string out;
    for (const auto& line : lines) out += line + "\n";
    return out;
}

/// What is signed for an account SAS; since 2020-12-06 it has a line more.
std::string account_text(const azure_sas& s, std::string_view account) {
    auto text = joined({std::string(account), s.permissions, "b", s.resource_types, s.start, s.end, "",
                        s.protocol, s.version});
    if (s.version >= "2020-12-06") text += "\n";
    return text;
}

/// Likewise for a service SAS; the last line has no end.
std::string service_text(const azure_sas& s, std::string_view account) {
    std::string resource = "/blob/" + std::string(account) + "/" + s.container;
    if (!s.blob.empty()) resource += "/" + s.blob;
    auto text = joined({s.permissions, s.start, s.end, resource, "", "", s.protocol, s.version,
                        s.blob.empty() ? "c" : "b", ""});
    if (s.version >= "2020-12-06") text += "\n";
    return text + "\n\n\n\n";
}

std::string permission_for(const fake_request& r) {
    const auto& o = r.operation;
    if (o == "put" || o == "put_part" || o == "complete") return "wc";  // one of them
    if (o == "remove") return "d";
    if (o == "list") return "l";
    return "r";
}

azure_sas sas_of(const fake_request& r) {
    const auto of = [&r](std::string_view name) { return r.parameter(name).value_or(""); };
    azure_sas s;
    s.permissions = of("sp");
    s.start = of("st");
    s.end = of("se");
    s.protocol = of("spr");
    s.version = of("sv");
    s.resource_types = of("srt");
    if (!of("sr").empty()) s.container = r.bucket;
    if (of("sr") == "b") s.blob = r.key;
    return s;
}

/// "2026-01-01T00:00:00Z", the one form that compares as text.
std::string iso_time(time_source::wall when) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
    const auto midnight = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(midnight);
    const std::chrono::hh_mm_ss clock(seconds - midnight);
    const auto two = [](auto number) {
        const auto digits = std::to_string(number);
        return digits.size() < 2 ? "0" + digits : digits;
    };
    return std::to_string(static_cast<int>(date.year())) + "-" + two(static_cast<unsigned>(date.month())) +
           "-" + two(static_cast<unsigned>(date.day())) + "T" + two(clock.hours().count()) + ":" +
           two(clock.minutes().count()) + ":" + two(clock.seconds().count()) + "Z";
}

std::optional<azure_refusal> check_sas(const fake_request& r, const azure_access& with,
                                       time_source::wall now) {
    const auto s = sas_of(r);
    const bool of_service = !s.container.empty();
    const auto text = of_service ? service_text(s, with.account) : account_text(s, with.account);
    if (r.parameter("sig") != signature_of(with.key_base64, text))
        return not_authentic("Signature did not match.");
    const auto time = iso_time(now);
    if (s.end.empty() || time > s.end || time < s.start)
        return not_authentic("Signature not valid in the specified time frame");
    if (s.protocol == "https" && !r.to.tls)
        return azure_refusal{403, "AuthorizationProtocolMismatch",
                             "This request is not authorized to perform this operation using this protocol."};
    const auto type = r.key.empty() ? 'c' : 'o';
    if (!of_service && s.resource_types.find(type) == std::string::npos)
        return azure_refusal{
            403, "AuthorizationResourceTypeMismatch",
            "This request is not authorized to perform this operation using this resource type."};
    if (s.permissions.find_first_of(permission_for(r)) == std::string::npos)
        return azure_refusal{
            403, "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission."};
    return std::nullopt;
}

}  // namespace

std::string signed_sas(const azure_sas& s, std::string_view account, std::string_view key_base64) {
    std::string out;
    const auto add = [&out](std::string_view name, std::string_view value) {
        if (value.empty()) return;
        if (!out.empty()) out += '&';
        out.append(name).append("=").append(http::encode_query(value));
    };
    const bool of_service = !s.container.empty();
    add("sv", s.version);
    if (of_service) {
        add("sr", s.blob.empty() ? "c" : "b");
    } else {
        add("ss", "b");
        add("srt", s.resource_types);
    }
    add("sp", s.permissions);
    add("st", s.start);
    add("se", s.end);
    add("spr", s.protocol);
    add("sig", signature_of(key_base64, of_service ? service_text(s, account) : account_text(s, account)));
    return out;
}

std::optional<azure_refusal> check_azure_access(const fake_request& r, const azure_access& with,
                                                time_source::wall now) {
    constexpr std::string_view bearer = "Bearer ";
    const auto authorization = r.header("Authorization");
    if (authorization.starts_with("SharedKey ")) return check_shared_key(r, with, now);
    if (authorization.starts_with(bearer)) {
        const auto token = std::string_view(authorization).substr(bearer.size());
        if (with.bearer_tokens.contains(token)) return std::nullopt;
        return azure_refusal{401, "InvalidAuthenticationInfo",
                             "Issuer validation failed or the token has expired."};
    }
    if (r.parameter("sig")) return check_sas(r, with, now);
    return azure_refusal{401, "NoAuthenticationInformation",
                         "Server failed to authenticate the request. Please refer to the information in the "
                         "www-authenticate header."};
}

std::optional<azure_refusal> check_azure_body(const fake_request& r) {
    if (r.header("x-ms-version").empty())
        return azure_refusal{400, "MissingRequiredHeader",
                             "An HTTP header that's mandatory for this request is not specified."};
    const auto md5 = r.header("Content-MD5");
    if (!md5.empty() && md5 != md5_base64(r.body))
        return azure_refusal{400, "Md5Mismatch",
                             "The MD5 value specified in the request did not match with the MD5 value "
                             "calculated by the server."};
    const auto crc64 = r.header("x-ms-content-crc64");
    if (!crc64.empty() && crc64 != azure_crc64(r.body))
        return azure_refusal{400, "Crc64Mismatch",
                             "The CRC64 value specified in the request did not match with the CRC64 value "
                             "calculated by the server."};
    return std::nullopt;
}

}  // namespace firehose::fakes
