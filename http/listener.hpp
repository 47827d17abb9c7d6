/// Sockets to accept from: opened here, or inherited from the service manager.
#pragma once
#include "pipeline/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace firehose::http {

/// An open listening TCP socket; closed with the object. Move only.
class listening_socket {
public:
    explicit listening_socket(int descriptor = -1) noexcept : fd_(descriptor) {}
    listening_socket(listening_socket&& other) noexcept;
    listening_socket& operator=(listening_socket&& other) noexcept;
    ~listening_socket();

    int get() const noexcept { return fd_; }
    int release() noexcept;
    /// What it is bound to; 0 and empty when it is no TCP socket.
    std::uint16_t port() const;
    std::string address() const;
    /// Nobody outside this machine can reach it.
    bool loopback_only() const;

private:
    int fd_;
};

/// "127.0.0.1:8080", "[::1]:8080", "*:8080" (all addresses, IPv6 too) or "localhost:8080"; port 0 lets the
/// system choose. With `shared` several sockets may be bound to the port (SO_REUSEPORT), and the system
/// spreads the connections.
result<listening_socket> listen_on(std::string_view where, bool shared);

/// A socket that is open already, as a service manager hands it over: checked to be a listening stream
/// socket, made non-blocking and closed on exec.
result<listening_socket> adopt_socket(int descriptor);

}  // namespace firehose::http
