#include "storage/shared_key.hpp"

#include "http/url.hpp"
#include "pipeline/text.hpp"

#include <map>
#include <vector>

namespace firehose::storage::shared_key {

namespace {

constexpr std::string_view prefix = "x-ms-";

struct signed_header {
    std::string name;
    std::string_view value;
};

std::vector<signed_header> own_headers(const http::header_list& headers) {
    std::vector<signed_header> found;
    for (const auto& [name, value] : headers) {
        auto low = to_lower(name);
        if (!low.starts_with(prefix)) continue;
        const bool repeated = std::ranges::find(found, low, &signed_header::name) != found.end();
        if (!repeated) found.push_back({std::move(low), trim(value)});
    }
    std::ranges::sort(
        found, [](const signed_header& a, const signed_header& b) { return comes_before(a.name, b.name); });
    return found;
}

void append_resource(std::string& out, const subject& what, std::string_view account) {
    out.append("/").append(account).append(what.path.empty() ? "/" : what.path);
    std::map<std::string, std::vector<std::string>> parameters;
    for (std::size_t at = 0; at < what.query.size();) {
        const std::size_t end = std::min(what.query.find('&', at), what.query.size());
        const auto pair = what.query.substr(at, end - at);
        at = end + 1;
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const auto value = pair.substr(std::min(equals + 1, pair.size()));
        parameters[to_lower(http::decode_percent(pair.substr(0, equals)))].push_back(
            http::decode_percent(value));
    }
    for (auto& [name, values] : parameters) {
        std::ranges::sort(values);
        out.append("\n").append(name);
        char between = ':';
        for (const auto& value : values) {
            out += between;
            out += value;
            between = ',';
        }
    }
}

}  // namespace

std::string string_to_sign(const subject& what, std::string_view account) {
    const auto header = [&what](std::string_view name) {
        const auto* value = http::find_header(what.headers, name);
        return value == nullptr ? std::string_view() : std::string_view(*value);
    };
    const auto own = own_headers(what.headers);
    const bool dated = std::ranges::find(own, "x-ms-date", &signed_header::name) != own.end();
    std::string out;
    out.reserve(512 + what.path.size() + what.query.size());
    const auto line = [&out](std::string_view text) { out.append(text).append("\n"); };
    line(what.method);
    line(header("Content-Encoding"));
    line(header("Content-Language"));
    line(what.content_length == 0 ? std::string() : std::to_string(what.content_length));
    line(header("Content-MD5"));
    line(header("Content-Type"));
    line(dated ? std::string_view() : header("Date"));
    for (const auto* name :
         {"If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"})
        line(header(name));
    for (const auto& [name, value] : own) out.append(name).append(":").append(value).append("\n");
    append_resource(out, what, account);
    return out;
}

std::string authorization(http::hmac_key& key, std::string_view account, std::string_view to_sign) {
    std::string out = "SharedKey ";
    out.append(account).append(":").append(http::to_base64(key(to_sign)));
    return out;
}

bool may_carry(std::string_view header_name) {
    const auto name = to_lower(header_name);
    if (!name.starts_with(prefix)) return true;
    if (!name.starts_with(metadata_prefix)) return std::ranges::find(used_names, name) != used_names.end();
    return name.size() > metadata_prefix.size() &&
           std::ranges::all_of(std::string_view(name).substr(metadata_prefix.size()),
                               [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

}  // namespace firehose::storage::shared_key
