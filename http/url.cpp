#include "http/url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <array>
#include <charconv>

namespace firehose::http {

namespace {

constexpr std::array<bool, 256> unreserved_table() {
    std::array<bool, 256> table{};
    for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (const char c : {'-', '.', '_', '~'}) table[static_cast<unsigned char>(c)] = true;
    return table;
}
constexpr auto unreserved = unreserved_table();
constexpr std::string_view upper_hex = "0123456789ABCDEF";

std::string encode(std::string_view raw, bool keep_slash) {
    std::string out;
    out.reserve(raw.size() + raw.size() / 8);
    for (const char c : raw) {
        const auto byte = static_cast<unsigned char>(c);
        if (unreserved[byte] || (keep_slash && c == '/')) {
            out += c;
        } else {
            out += '%';
            out += upper_hex[byte >> 4];
            out += upper_hex[byte & 15];
        }
    }
    return out;
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

error refused(std::string why) { return {disposition::stop, "the endpoint " + std::move(why)}; }

}  // namespace

std::string encode_path(std::string_view raw) { return encode(raw, true); }
std::string encode_query(std::string_view raw) { return encode(raw, false); }

std::string decode_percent(std::string_view encoded) {
    std::string out;
    out.reserve(encoded.size());
    for (std::size_t i = 0; i < encoded.size(); ++i) {
        if (encoded[i] == '%' && i + 2 < encoded.size()) {
            const int high = hex_value(encoded[i + 1]);
            const int low = hex_value(encoded[i + 2]);
            if (high >= 0 && low >= 0) {
                out += static_cast<char>(high * 16 + low);
                i += 2;
                continue;
            }
        }
        out += encoded[i];
    }
    return out;
}

std::string host_header(const authority& to) {
    std::string host = to.host.find(':') == std::string::npos ? to.host : "[" + to.host + "]";
    const bool usual = to.port == (to.tls ? 443 : 80);
    return usual ? host : host + ":" + std::to_string(to.port);
}

std::string describe(const authority& to) { return (to.tls ? "https://" : "http://") + host_header(to); }

result<endpoint_url> parse_endpoint(std::string_view text) {
    const auto parsed = boost::urls::parse_uri(boost::core::string_view(text.data(), text.size()));
    if (!parsed) return refused("is not a URL of the form https://host[:port][/path]");
    const boost::urls::url_view url = *parsed;
    endpoint_url out;
    if (url.scheme_id() == boost::urls::scheme::https) {
        out.to.tls = true;
    } else if (url.scheme_id() == boost::urls::scheme::http) {
        out.to.tls = false;
    } else {
        return refused("must begin with http:// or https://");
    }
    if (url.has_userinfo()) return refused("must not contain a user name or password");
    if (url.has_query() || url.has_fragment()) return refused("must not contain '?' or '#'");
    const auto host = url.encoded_host_address();
    out.to.host = decode_percent(std::string_view(host.data(), host.size()));
    if (out.to.host.empty()) return refused("names no host");
    for (char& c : out.to.host)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    out.to.port = out.to.tls ? 443 : 80;
    if (const auto port = url.port(); !port.empty()) {
        const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), out.to.port);
        if (problem != std::errc{} || end != port.data() + port.size() || out.to.port == 0)
            return refused("has a port that is not between 1 and 65535");
    }
    const auto path = url.encoded_path();
    out.path.assign(path.data(), path.size());
    while (out.path.ends_with('/')) out.path.pop_back();
    return out;
}

}  // namespace firehose::http
