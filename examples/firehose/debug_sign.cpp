/// firehose debug sigv4 and shared-key: every step of a signature, so that it can be compared with another's.
#include "examples/firehose/debug.hpp"
#include "examples/firehose/debug_lines.hpp"
#include "http/url.hpp"
#include "storage/shared_key.hpp"
#include "storage/sigv4.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

namespace firehose::app {
namespace json = boost::json;
namespace sigv4 = storage::sigv4;
namespace shared_key = storage::shared_key;
namespace {

/// A request to be signed by the rules of AWS.
struct aws_case {
    std::string method{}, path{}, query{}, payload_hash{};
    http::header_list headers{};
    sigv4::identity who{};
    std::string token_to_add{};  ///< goes along unsigned
    std::string region{}, service{}, stamp{};
    std::chrono::seconds expires{};
    sigv4::path_rules rules = sigv4::path_rules::generic;
    bool hash_header = false;
    bool anonymous = false;  ///< without credentials there is a canonical request, and nothing to sign with
    bool query_first = false;
};

bool hexadecimal(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// A path as a client puts it on the request line for S3: encoded once, escapes that are there are kept.
std::string as_on_the_wire(std::string_view path) {
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const bool escape =
            path[i] == '%' && i + 2 < path.size() && hexadecimal(path[i + 1]) && hexadecimal(path[i + 2]);
        out += escape ? "%" : http::encode_path(path.substr(i, 1));
    }
    return out;
}

/// "2015-08-30T12:36:00Z" as 20150830T123600Z.
std::string stamp_of_time(std::string text) {
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text;
}

bool is_stamp(std::string_view text) {
    constexpr std::string_view form = "00000000T000000Z";
    return std::ranges::equal(text, form,
                              [](char c, char f) { return f == '0' ? c >= '0' && c <= '9' : c == f; });
}

std::optional<sigv4::path_rules> rules_of(members& options, bool s3) {
    const bool normalize = options.flag_or("normalize_path", true);
    const bool twice = options.flag_or("double_uri_encode", true);
    if (s3 || (!normalize && !twice)) return sigv4::path_rules::s3;
    if (!twice) return std::nullopt;
    return normalize ? sigv4::path_rules::generic : sigv4::path_rules::generic_unnormalized;
}

void read_identity(members& given, bool omit_token, aws_case& out) {
    out.who.access_key_id = given.text("access_key_id");
    out.who.secret_access_key = storage::secret(given.text("secret_access_key"));
    auto token = given.text_or("session_token", {});
    if (omit_token)
        out.token_to_add = std::move(token);
    else
        out.who.session_token = storage::secret(std::move(token));
}

result<aws_case> read_aws_case(const json::object& line) {
    members all(line);
    members request(all.object_or_empty("request"));
    members options(all.object_or_empty("options"));
    members identity(all.object_or_empty("credentials"));
    aws_case out;
    const auto mode = all.text_or("mode", {});
    if (!mode.empty() && mode != "s3" && mode != "generic")
        all.refuse("mode", "must be \"s3\" or \"generic\"");
    const auto form = all.text_or("form", {});
    if (!form.empty() && form != "header" && form != "query")
        all.refuse("form", "must be \"header\" or \"query\"");
    out.query_first = form == "query" || (form.empty() && all.has("query") && !all.has("header"));

    out.method = request.text("method");
    out.query = request.text_or("query", {});
    out.headers = request.headers("headers");
    out.anonymous = !all.has("credentials");
    if (!out.anonymous) {
        read_identity(identity, options.flag_or("omit_session_token", false), out);
        out.region = all.text("region");
        out.service = all.text("service");
    }
    const bool s3 = mode == "s3" || (mode.empty() && out.service == "s3" && !all.has("options"));
    const auto path = request.text_or("path", "/");
    out.path = s3 ? as_on_the_wire(path) : path;
    const auto rules = rules_of(options, s3);
    if (!rules) options.refuse("double_uri_encode", "may be false only where normalize_path is false, too");
    out.rules = rules.value_or(sigv4::path_rules::s3);
    out.hash_header = options.flag_or("sign_body", s3 && !all.has("options"));
    const auto hash = http::sha256(request.text_or("body", {}));
    out.payload_hash = options.text_or("payload_hash", http::to_hex(hash));
    out.expires = std::chrono::seconds(std::min<std::uint64_t>(all.number_or("expires", 3600), 604'800));

    const auto* dated = http::find_header(out.headers, "x-amz-date");
    out.stamp = all.text_or("amz_date", dated != nullptr ? *dated : stamp_of_time(all.text_or("time", {})));
    if (!is_stamp(out.stamp)) all.refuse("amz_date", "must be there and look like 20150830T123600Z");
    for (const auto* part : {&all, &request, &options, &identity})
        if (!part->problem().empty()) return bad_line(part->problem());
    return out;
}

json::object steps(const sigv4::signed_request& done, bool anonymous) {
    json::object out{{"canonical_request", done.canonical_request}};
    if (anonymous) return out;
    out["string_to_sign"] = done.string_to_sign;
    out["signature"] = done.signature;
    return out;
}

json::object header_form(const aws_case& c) {
    auto headers = c.headers;
    if (http::find_header(headers, "x-amz-date") == nullptr) headers.emplace_back("X-Amz-Date", c.stamp);
    if (c.hash_header && http::find_header(headers, "x-amz-content-sha256") == nullptr)
        headers.emplace_back("x-amz-content-sha256", c.payload_hash);
    if (!c.who.session_token.empty())
        headers.emplace_back("X-Amz-Security-Token", c.who.session_token.reveal());
    const sigv4::subject what{c.method, c.path, c.query, headers, c.payload_hash};
    sigv4::key_cache keys;
    const auto done = sigv4::sign_headers(what, c.who, c.region, c.service, c.stamp, c.rules, keys);
    auto out = steps(done, c.anonymous);
    if (!c.anonymous) out["authorization"] = done.authorization;
    return out;
}

json::object query_form(const aws_case& c) {
    const sigv4::subject what{c.method, c.path, c.query, c.headers, c.payload_hash};
    sigv4::key_cache keys;
    const auto done = sigv4::presign(what, c.who, c.region, c.service, c.stamp, c.expires, c.rules, keys);
    auto out = steps(done, false);
    auto query = done.query;
    if (!c.token_to_add.empty()) query += "&X-Amz-Security-Token=" + http::encode_query(c.token_to_add);
    out["signed_query"] = query;
    return out;
}

result<json::object> answer_sigv4(const json::object& line) {
    const auto read = read_aws_case(line);
    if (!read.has_value()) return read.error();
    const auto header = header_form(*read);
    if (read->anonymous) return header;
    const auto query = query_form(*read);
    json::object out = read->query_first ? query : header;
    if (const auto* name = line.if_contains("name")) out["name"] = *name;
    out["header"] = header;
    out["query"] = query;
    return out;
}

/// A request to be signed by the rules of Azure; the key is ready.
struct azure_case {
    std::string method{}, path{}, query{}, account{}, ready_text{};
    http::header_list headers{};
    std::uint64_t length = 0;
    std::vector<std::byte> key{};
};

void read_url(const std::string& url, azure_case& out) {
    const auto host = url.find("//");
    const auto from = url.find('/', host == std::string::npos ? 0 : host + 2);
    const auto mark = std::min(url.find('?'), url.size());
    if (from < mark) out.path = url.substr(from, mark - from);
    out.query = url.substr(std::min(mark + 1, url.size()));
}

result<azure_case> read_azure_case(const json::object& line) {
    members all(line);
    azure_case out;
    out.account = all.text("account");
    auto key = http::from_base64(all.text("key_base64"));
    if (!key) all.refuse("key_base64", "must be base64");
    if (key) out.key = std::move(*key);
    const bool whole = all.has("url") || all.has("path");
    if (!whole) out.ready_text = all.text("string_to_sign");
    if (whole) out.method = all.text("method");
    if (all.has("url")) read_url(all.text("url"), out);
    out.path = all.text_or("path", out.path);
    if (!all.has("url")) out.query = all.text_or("query", {});
    out.length = all.number_or("length", 0);
    for (auto& header : all.headers("headers")) {
        if (!http::same_name(header.first, "content-length")) {
            out.headers.push_back(std::move(header));
            continue;
        }
        const json::object length{{"content-length", header.second}};
        members one(length);
        out.length = one.number_or("content-length", 0);
        if (!one.problem().empty()) all.refuse("headers", one.problem());
    }
    if (!all.problem().empty()) return bad_line(all.problem());
    return out;
}

result<json::object> answer_shared_key(const json::object& line) {
    auto read = read_azure_case(line);
    if (!read.has_value()) return read.error();
    const shared_key::subject what{read->method, read->path, read->query, read->headers, read->length};
    const auto text =
        read->ready_text.empty() ? shared_key::string_to_sign(what, read->account) : read->ready_text;
    http::hmac_key key(read->key);
    json::object out;
    if (const auto* name = line.if_contains("name")) out["name"] = *name;
    out["string_to_sign"] = text;
    out["signature"] = http::to_base64(key(text));
    out["authorization"] = shared_key::authorization(key, read->account, text);
    return out;
}

}  // namespace

int debug_sigv4() { return answer_lines(answer_sigv4); }
int debug_shared_key() { return answer_lines(answer_shared_key); }

}  // namespace firehose::app
