/// What a client waits for, reads and keeps.
#pragma once
#include "http/address_guard.hpp"
#include "http/proxy.hpp"
#include "http/resolver.hpp"

#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>

namespace firehose::http {

/// Each phase has its own limit; the caller's deadline ends all of them.
struct timeouts {
    std::chrono::milliseconds resolve{5'000};
    std::chrono::milliseconds connect{5'000};      ///< per address
    std::chrono::milliseconds tls{5'000};          ///< handshake
    std::chrono::milliseconds progress{10'000};    ///< without a byte moving, while writing or reading
    std::chrono::milliseconds first_byte{10'000};  ///< of the answer, after the request was written
    std::chrono::milliseconds leave{1'000};        ///< "100 Continue"; then the body goes without
    std::chrono::milliseconds whole{60'000};       ///< request and answer
};

struct limits {
    std::size_t head = 64 * 1024;         ///< of an answer; more is an error
    std::size_t error_body = 64 * 1024;   ///< of an answer from 300 up; the rest is not read
    std::size_t body = 16 * 1024 * 1024;  ///< of other answers; more is an error
};

/// No body is that large.
inline constexpr std::size_t never_expect = std::numeric_limits<std::size_t>::max();

struct client_options {
    timeouts wait{};
    limits accept{};
    /// Idle connections are closed after this; shorter than what servers allow (Azurite: 5 s).
    std::chrono::milliseconds idle{4'000};
    std::size_t idle_connections = 128;           ///< kept per authority
    std::chrono::milliseconds addresses{60'000};  ///< how long a resolved name is believed
    std::string user_agent = "firehose";
    /// Bodies from this size on wait for the server's leave ("Expect: 100-continue"), so that a refusal
    /// costs no transfer. A server that does not know this (417) is asked without, then and later.
    std::size_t expect_continue = never_expect;
    std::optional<proxy_options> proxy{};  ///< of all connections but its exceptions
    /// Where connections may lead, for hosts that others choose; none: anywhere. The proxy itself is not
    /// judged, but is told the address that was, in the place of the name.
    std::optional<address_guard> guard{};
    name_lookup names{};  ///< instead of the system's
};

}  // namespace firehose::http
