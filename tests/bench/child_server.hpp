/// A server under measurement, as a process of its own, and a client for it that costs little itself.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace firehose::bench {

/// Throws std::runtime_error with errno's text.
void need(bool ok, const std::string& what);

class child_server {
public:
    /// Runs `command`; returns once `ready` stands in what it writes to standard error.
    child_server(const std::vector<std::string>& command, std::string_view ready);
    child_server(const child_server&) = delete;
    ~child_server();  ///< SIGTERM, and waits

    const std::string& said() const noexcept { return said_; }
    double cpu_seconds() const;
    double resident_megabytes() const;

private:
    pid_t pid_ = -1;
    int read_end_ = -1;
    std::string said_{};
};

/// `firehose serve` with its data below `where`, open to everybody on this machine. `more` are members of the
/// section "server", each with a comma in front.
class firehose_server : public child_server {
public:
    firehose_server(const std::string& binary, const std::filesystem::path& where, const std::string& more);
    std::uint16_t port() const noexcept { return port_; }

private:
    std::uint16_t port_ = 0;
};

/// A blocking keep-alive connection to 127.0.0.1.
class connection {
public:
    explicit connection(std::uint16_t port);
    connection(connection&& other) noexcept;
    ~connection();

    struct reply {
        int status = 0;
        std::string_view body{};  ///< until the next exchange
    };
    reply exchange(std::string_view request);

private:
    int fd_;
    std::string received_{};
};

struct figures {
    double seconds = 0, cpu_seconds = 0;
    std::size_t requests = 0, units = 0;         ///< a unit is what `one` counts: events, items
    double p50_ms = 0, p99_ms = 0, p999_ms = 0;  ///< of a request
};

/// One request on that connection; how many units it moved. `worker` is the connection's number.
using exchange_once = std::function<std::size_t(connection& c, unsigned worker)>;

/// `connections` threads, each with one, for so many seconds.
figures measure(const child_server& server, std::uint16_t port, unsigned connections, double seconds,
                const exchange_once& one);

/// Runs `what` in a fresh directory below `below`, with as many descriptors as there may be; the exit code.
int run_below(const std::filesystem::path& below,
              const std::function<void(const std::filesystem::path&)>& what);

}  // namespace firehose::bench
