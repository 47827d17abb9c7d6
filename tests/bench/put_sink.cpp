#include "tests/bench/put_sink.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firehose::bench {
namespace {

constexpr std::string_view stored =
    "HTTP/1.1 200 OK\r\nETag: \"0123456789abcdef0123456789abcdef\"\r\nx-amz-request-id: 7F3A7F3A7F3A7F3A\r\n"
    "Content-Length: 0\r\n\r\n";

struct peer {
    int fd = -1;
    SSL* tls = nullptr;
    bool agreed = false;
    std::string head{};  ///< bytes of a head that is not whole yet
    std::size_t body_left = 0;

    ~peer() {
        if (tls != nullptr) SSL_free(tls);
        ::close(fd);
    }
    /// More than 0: bytes; 0: the end; less: not now.
    ssize_t read(char* into, std::size_t size) {
        if (tls == nullptr) return ::recv(fd, into, size, 0);
        const int n = SSL_read(tls, into, static_cast<int>(size));
        if (n > 0) return n;
        return SSL_get_error(tls, n) == SSL_ERROR_WANT_READ ? -1 : 0;
    }
    bool write(std::string_view text) {
        if (tls == nullptr) return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) > 0;
        return SSL_write(tls, text.data(), static_cast<int>(text.size())) > 0;
    }
};

std::size_t content_length(std::string_view head) {
    constexpr std::string_view name = "\r\nContent-Length: ";
    std::size_t length = 0;
    const auto at = head.find(name);
    if (at != std::string_view::npos)
        std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
    return length;
}

/// False when it should be closed.
bool take(peer& p, std::string_view bytes) {
    while (!bytes.empty()) {
        if (p.body_left == 0) {
            const auto before = p.head.size();
            p.head.append(bytes);
            const auto end = p.head.find("\r\n\r\n", before < 3 ? 0 : before - 3);
            if (end == std::string::npos) return p.head.size() < 64 * 1024;
            p.body_left = content_length(std::string_view(p.head).substr(0, end + 2));
            const bool waits = p.head.find("\r\nExpect: 100-continue") != std::string::npos;
            if (waits && !p.write("HTTP/1.1 100 Continue\r\n\r\n")) return false;
            bytes.remove_prefix(end + 4 - before);
            p.head.clear();
        }
        const auto taken = std::min(p.body_left, bytes.size());
        p.body_left -= taken;
        bytes.remove_prefix(taken);
        if (p.body_left == 0 && !p.write(stored)) return false;
    }
    return true;
}

/// False when it has ended.
bool serve(peer& p) {
    if (p.tls != nullptr && !p.agreed) {
        const int n = SSL_accept(p.tls);
        if (n != 1) return SSL_get_error(p.tls, n) == SSL_ERROR_WANT_READ;
        p.agreed = true;
    }
    static std::array<char, 64 * 1024> buffer;
    for (;;) {
        const auto n = p.read(buffer.data(), buffer.size());
        if (n < 0) return true;
        if (n == 0 || !take(p, std::string_view(buffer.data(), static_cast<std::size_t>(n)))) return false;
        if (p.tls == nullptr && static_cast<std::size_t>(n) < buffer.size()) return true;
    }
}

[[noreturn]] void serve_for_ever(int listener, SSL_CTX* tls) {
    const int poll = ::epoll_create1(EPOLL_CLOEXEC);
    const auto watch = [poll](int fd) {
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.fd = fd;
        ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
    };
    watch(listener);
    std::map<int, std::unique_ptr<peer>> peers;
    std::array<epoll_event, 64> events;
    for (;;) {
        const int n = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < n; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd != listener) {
                if (!serve(*peers.at(fd))) peers.erase(fd);
                continue;
            }
            const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (accepted < 0) continue;
            const int one = 1;
            ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            auto p = std::make_unique<peer>();
            p->fd = accepted;
            if (tls != nullptr) {
                p->tls = SSL_new(tls);
                SSL_set_fd(p->tls, accepted);
            }
            peers[accepted] = std::move(p);
            watch(accepted);
        }
    }
}

}  // namespace

put_sink::put_sink(SSL_CTX* tls) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    if (::bind(listener, address, size) != 0 || ::listen(listener, 1024) != 0 ||
        ::getsockname(listener, address, &size) != 0)
        throw std::runtime_error("the sink cannot listen");
    port_ = ntohs(at.sin_port);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("the sink cannot be started");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        serve_for_ever(listener, tls);
    }
    ::close(listener);
}

put_sink::~put_sink() {
    ::kill(pid_, SIGKILL);
    wait();
}

void put_sink::wait() const {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

}  // namespace firehose::bench
