/// Ends a connection's phase that lasts too long. Internal to http: not installed.
#pragma once
#include "pipeline/time_source.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace firehose::http {

using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;

/// Closes the socket when a phase has lasted too long. The timer is left running while the due time
/// moves away, also between exchanges, and checks when it fires: progress costs an assignment and no
/// system call. Single shard; destroyed before the socket.
class watchdog {
public:
    watchdog(executor ex, time_source& time, tcp_socket& socket);
    watchdog(const watchdog&) = delete;
    ~watchdog();

    /// No phase lasts beyond `end`.
    void begin(time_source::steady end);
    void watch(const char* phase, std::chrono::milliseconds at_most);
    /// When the phase has lasted that long `instead` is called, once, and nothing is closed.
    void watch(const char* phase, std::chrono::milliseconds at_most, std::function<void()> instead);
    void rest();

    bool expired() const noexcept;
    const char* phase() const noexcept;
    bool by_deadline() const noexcept;

private:
    struct shared;
    static void arm(const std::shared_ptr<shared>& s);
    static void fired(const std::shared_ptr<shared>& s);
    std::shared_ptr<shared> s_;
};

}  // namespace firehose::http
