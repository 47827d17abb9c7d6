#include "http/proxy.hpp"

#include <algorithm>

namespace firehose::http {

bool goes_through(const std::optional<proxy_options>& proxy, const authority& to) {
    if (!proxy) return false;
    return std::ranges::none_of(proxy->except, [&to](const std::string& entry) {
        return to.host == entry || (entry.starts_with('.') && to.host.ends_with(entry));
    });
}

std::string describe(const proxy_options& proxy) {
    authority at;
    at.tls = false;
    at.host = proxy.host;
    at.port = proxy.port;
    return describe(at);
}

result<proxy_options> parse_proxy(std::string_view text) {
    const auto parsed = parse_endpoint(text);
    if (!parsed.has_value() || parsed->to.tls || !parsed->path.empty())
        return error(disposition::stop,
                     "must be http://host:port; user name and password have keys of their own");
    proxy_options out;
    out.host = parsed->to.host;
    out.port = parsed->to.port;
    return out;
}

}  // namespace firehose::http
