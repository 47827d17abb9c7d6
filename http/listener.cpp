#include "http/listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace firehose::http {
namespace {

struct bound {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

bound name_of(int fd) {
    bound out;
    out.length = sizeof(out.storage);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&out.storage), &out.length) != 0) out.length = 0;
    return out;
}

/// sockaddr is a family of types that all begin alike.
template <class Address> Address as(const sockaddr_storage& storage) {
    Address out{};
    std::memcpy(&out, &storage, sizeof(out));
    return out;
}

std::optional<bound> parse_address(std::string_view where) {
    const auto colon = where.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string host(where.substr(0, colon));
    const auto digits = where.substr(colon + 1);
    const bool number = !digits.empty() && digits.size() <= 5 &&
                        std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    if (!number) return std::nullopt;
    const auto port = std::stoul(std::string(digits));
    if (port > 65535) return std::nullopt;
    if (host == "localhost") host = "127.0.0.1";
    if (host == "*" || host.empty()) host = "[::]";
    bound out;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(static_cast<std::uint16_t>(port));
        if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6.sin6_addr) != 1)
            return std::nullopt;
        std::memcpy(&out.storage, &v6, sizeof(v6));
        out.length = sizeof(v6);
        return out;
    }
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) != 1) return std::nullopt;
    std::memcpy(&out.storage, &v4, sizeof(v4));
    out.length = sizeof(v4);
    return out;
}

}  // namespace

listening_socket::listening_socket(listening_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

listening_socket& listening_socket::operator=(listening_socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

listening_socket::~listening_socket() {
    if (fd_ >= 0) ::close(fd_);
}

int listening_socket::release() noexcept { return std::exchange(fd_, -1); }

std::uint16_t listening_socket::port() const {
    const auto name = name_of(fd_);
    if (name.storage.ss_family == AF_INET) return ntohs(as<sockaddr_in>(name.storage).sin_port);
    if (name.storage.ss_family == AF_INET6) return ntohs(as<sockaddr_in6>(name.storage).sin6_port);
    return 0;
}

std::string listening_socket::address() const {
    const auto name = name_of(fd_);
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (name.storage.ss_family == AF_INET) {
        const auto v4 = as<sockaddr_in>(name.storage);
        ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), static_cast<socklen_t>(text.size()));
        return std::string(text.data()) + ":" + std::to_string(port());
    }
    if (name.storage.ss_family == AF_INET6) {
        const auto v6 = as<sockaddr_in6>(name.storage);
        ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), static_cast<socklen_t>(text.size()));
        return "[" + std::string(text.data()) + "]:" + std::to_string(port());
    }
    return {};
}

bool listening_socket::loopback_only() const {
    const auto name = name_of(fd_);
    if (name.storage.ss_family == AF_INET)
        return (ntohl(as<sockaddr_in>(name.storage).sin_addr.s_addr) >> 24U) == 127;
    if (name.storage.ss_family == AF_INET6) {
        const auto v6 = as<sockaddr_in6>(name.storage);
        return std::memcmp(&v6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
    }
    return false;
}

result<listening_socket> listen_on(std::string_view where, bool shared) {
    const auto name = parse_address(where);
    if (!name)
        return error(disposition::stop,
                     "\"" + std::string(where) +
                         "\" is no address to listen on: it must look like 127.0.0.1:8080, "
                         "[::1]:8080 or *:8080");
    const int family = name->storage.ss_family;
    listening_socket made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (made.get() < 0) return system_call_error(disposition::stop, "socket", where, errno);
    const int yes = 1;
    const int no = 0;
    ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (shared) ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
    if (family == AF_INET6) ::setsockopt(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&name->storage), name->length) != 0)
        return system_call_error(disposition::stop, "bind", where, errno);
    if (::listen(made.get(), SOMAXCONN) != 0)
        return system_call_error(disposition::stop, "listen", where, errno);
    return made;
}

result<listening_socket> adopt_socket(int descriptor) {
    const std::string subject = "inherited descriptor " + std::to_string(descriptor);
    int listens = 0;
    socklen_t size = sizeof(listens);
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
        return system_call_error(disposition::stop, "getsockopt", subject, errno);
    int type = 0;
    size = sizeof(type);
    ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size);
    const auto family = name_of(descriptor).storage.ss_family;
    if (listens == 0 || type != SOCK_STREAM || (family != AF_INET && family != AF_INET6))
        return error(disposition::stop,
                     subject + " is not a listening TCP socket; check the unit's ListenStream");
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    return listening_socket(descriptor);
}

}  // namespace firehose::http
