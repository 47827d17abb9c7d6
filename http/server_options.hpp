/// What a server allows, how long it waits, and the certificate it shows.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace firehose::http {

struct head_limits {
    std::size_t line = 8 * 1024;   ///< of the request line; longer ones are 414
    std::size_t head = 32 * 1024;  ///< request line and headers; more is 431
    std::size_t headers = 100;     ///< lines; more is 431
};

struct server_limits {
    head_limits head{};
    std::size_t body = 64u << 20;             ///< on the wire and inflated; more is 413
    std::size_t trailers = 8 * 1024;          ///< and of one chunk's header
    std::size_t chunk_extensions = 4 * 1024;  ///< of all chunks of a body together
    std::uint64_t gzip_ratio = 200;
    std::size_t pipelined = 64;        ///< requests in a row that were there before they were asked for
    std::size_t requests = 100'000;    ///< of one connection; then it is closed
    std::size_t connections = 16'384;  ///< of this server; more are answered 503 and closed
    std::size_t connections_per_address = 16'384;  ///< an IPv6 address counts as its /64; more: 429
    std::size_t drained = 256 * 1024;              ///< unread body that is worth keeping a connection for
};

/// Deadlines, not pauses between bytes: who drips does not get more time. Bodies and answers get `body` or
/// `answer` and besides a second for each `least_rate` bytes.
struct server_timeouts {
    std::chrono::milliseconds tls{10'000};   ///< handshake
    std::chrono::milliseconds idle{60'000};  ///< between requests
    std::chrono::milliseconds head{10'000};  ///< from its first byte to its last
    std::chrono::milliseconds body{20'000};
    std::chrono::milliseconds answer{20'000};
    std::chrono::milliseconds linger{2'000};  ///< for the peer to notice that we close
    std::chrono::milliseconds drain{10'000};  ///< for running requests, after the shard was told to drain
    std::size_t least_rate = 16 * 1024;       ///< bytes a second
    std::chrono::milliseconds tick{50};       ///< how exactly all of these are kept
};

struct server_tls_files {
    std::string certificate{};  ///< the server's first, then the ones that vouch for it
    std::string key{};
};

}  // namespace firehose::http
