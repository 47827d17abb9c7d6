/// The "server" section of the configuration.
#pragma once
#include "examples/firehose/check_settings.hpp"
#include "examples/firehose/stream_settings.hpp"
#include "http/digest.hpp"
#include "http/server_options.hpp"
#include "stages/ingest_options.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace firehose::app {

class object_reader;

/// What a token may do; roles do not include one another.
struct role_set {
    bool ingest = false;
    bool read = false;
    bool admin = false;
    bool root = true;  ///< belongs to the root user, who alone may read event streams
};

/// The token itself is nowhere: only its hash.
struct token_entry {
    std::string name{};
    http::sha256_value hash{};
    role_set roles{};
};

struct server_settings {
    std::vector<std::string> listen{"127.0.0.1:8080"};
    std::optional<http::server_tls_files> tls{};
    std::vector<token_entry> tokens{};
    bool development = false;  ///< without tokens, on loopback only
    bool access_log = true;
    unsigned shards = 0;  ///< threads that accept; 0: one per core
    http::server_limits limits{};
    http::server_timeouts wait{};
    stages::event_log_options log{};
    stages::ingest_http_options ingest{};
    check_settings check{};
    stream_settings stream{};
    std::string public_url{};  ///< scheme and authority clients see, in links; empty: from the Host header
};

/// Faults go where the reader puts them.
server_settings read_server(const object_reader& from, const std::filesystem::path& base);

}  // namespace firehose::app
