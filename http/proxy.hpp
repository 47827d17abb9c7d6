/// An HTTP proxy, and which servers are reached through it.
#pragma once
#include "http/secret.hpp"
#include "http/url.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::http {

/// Every connection goes through a tunnel (CONNECT), those without TLS too. The proxy itself is spoken to
/// without TLS: its credentials cross the network as they are, as in every browser.
struct proxy_options {
    std::string host{};
    std::uint16_t port = 3128;
    std::string username{};  ///< empty: no credentials
    secret password{};
    /// Hosts reached directly: a whole name or address, or ".example.com" for all names below it.
    std::vector<std::string> except{};
};

bool goes_through(const std::optional<proxy_options>& proxy, const authority& to);

/// "http://host:port", for people; never its credentials.
std::string describe(const proxy_options& proxy);

/// From "http://host:port"; the error does not repeat the text, which may hold a password.
result<proxy_options> parse_proxy(std::string_view text);

}  // namespace firehose::http
