// An HTTP sink that counts: takes PUTs, also in parts, on 127.0.0.1 as an S3 server would that checks no
// signatures, checks that each body is as long as it says, and keeps nothing unless told to.
//   counting_sink [--keep DIRECTORY] [--tls CERTIFICATE KEY]
// Prints its port. With a directory bodies are kept there, numbered, in one file each, of parts
// "part-<upload>-<number>"; with a certificate
// and a key (PEM files) it speaks TLS, a thread for each connection.
// On SIGTERM it prints one line of JSON: requests, bytes, connections, and the seconds from the first
// connection to the last request. A GET, which counts as no request, is answered with the same.
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <strings.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

volatile std::sig_atomic_t stopped = 0;

struct totals {
    std::uint64_t requests = 0, bytes = 0, connections = 0;
    std::chrono::steady_clock::time_point first{}, last{};  ///< connection and request

    std::string text() const {
        const std::chrono::duration<double> took = last - first;
        char out[160];
        std::snprintf(out, sizeof out,
                      "{\"requests\":%llu,\"bytes\":%llu,\"connections\":%llu,\"seconds\":%.3f}\n",
                      static_cast<unsigned long long>(requests), static_cast<unsigned long long>(bytes),
                      static_cast<unsigned long long>(connections), std::max(0.0, took.count()));
        return out;
    }
};

/// One connection: a head under construction, or a body being counted.
struct peer {
    std::string head{};
    std::uint64_t left = 0;
    bool in_body = false;
    int file = -1;
};

std::string_view header(std::string_view head, std::string_view name) {
    for (std::size_t at = head.find("\r\n"); at != head.npos && at + 2 < head.size();
         at = head.find("\r\n", at + 2)) {
        const auto line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
        if (line.size() > name.size() && line[name.size()] == ':' &&
            strncasecmp(line.data(), name.data(), name.size()) == 0) {
            const auto value = line.substr(name.size() + 1);
            return value.substr(std::min(value.find_first_not_of(' '), value.size()));
        }
    }
    return {};
}

bool send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

/// Sends an answer; false when it cannot be sent.
using answer_to = std::function<bool(std::string_view)>;

class sink {
public:
    explicit sink(std::string keep_in) : keep_in_(std::move(keep_in)) {}

    /// False: the connection is over.
    bool take(const answer_to& send, peer& p, std::string_view data) {
        while (!data.empty()) {
            if (!p.in_body) {
                const auto had = p.head.size();
                p.head.append(data);
                const auto end = p.head.find("\r\n\r\n");
                if (end == p.head.npos) return p.head.size() < 65536;
                data.remove_prefix(end + 4 - had);
                p.head.resize(end + 2);
                const auto length = std::string(header(p.head, "content-length"));
                p.left = length.empty() ? 0 : std::strtoull(length.c_str(), nullptr, 10);
                if (!header(p.head, "expect").empty() && !send("HTTP/1.1 100 Continue\r\n\r\n")) return false;
                p.in_body = true;
                if (!keep_in_.empty()) open_file(p);
            }
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(p.left, data.size()));
            if (p.file >= 0 && ::write(p.file, data.data(), n) != static_cast<ssize_t>(n)) std::abort();
            data.remove_prefix(n);
            p.left -= n;
            count.bytes += n;
            if (p.left == 0 && !finish(send, p)) return false;
        }
        return true;
    }
    bool finish_empty(const answer_to& send, peer& p) {
        return !(p.in_body && p.left == 0) || finish(send, p);
    }

    totals count{};

private:
    /// Of the query.
    static std::string argument(std::string_view target, std::string_view name) {
        const auto at = target.find(std::string(name) + "=", std::min(target.find('?'), target.size()));
        if (at == target.npos) return {};
        const auto value = target.substr(at + name.size() + 1);
        return std::string(value.substr(0, std::min(value.find('&'), value.size())));
    }
    static std::string_view target_of(std::string_view head) {
        const auto begin = head.find(' ') + 1;
        return head.substr(begin, head.find(' ', begin) - begin);
    }
    void open_file(peer& p) const {
        const auto target = target_of(p.head);
        const auto upload = argument(target, "uploadId");
        const auto number = argument(target, "partNumber");
        if (!p.head.starts_with("PUT ")) return;
        const auto key = target.substr(0, target.find('?'));
        const auto slash = key.rfind('/');
        const auto ending = key.substr(std::min(key.find('.', slash), key.size()));
        const auto name = number.empty()
                              ? std::to_string(count.requests) + "-" + std::to_string(count.bytes)
                              : "part-" + upload + "-" + std::string(5 - number.size(), '0') + number;
        const auto path = keep_in_ + "/" + name + std::string(ending);
        p.file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    bool finish(const answer_to& send, peer& p) {
        if (p.file >= 0) ::close(p.file);
        const bool asked = p.head.starts_with("GET ");
        const bool post = p.head.starts_with("POST ");
        const bool completed = post && !argument(target_of(p.head), "uploadId").empty();
        p = peer();
        if (asked) {
            const auto text = count.text();
            return send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" +
                        text);
        }
        ++count.requests;
        count.last = std::chrono::steady_clock::now();
        if (post) return send(completed ? body_of_end() : body_of_start());
        return send("HTTP/1.1 200 OK\r\nETag: \"0\"\r\nx-amz-request-id: 1\r\nContent-Length: 0\r\n\r\n");
    }
    static std::string with_body(const std::string& body) {
        return "HTTP/1.1 200 OK\r\nx-amz-request-id: 1\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
    std::string body_of_start() {
        return with_body("<InitiateMultipartUploadResult><UploadId>" + std::to_string(++uploads_) +
                         "</UploadId></InitiateMultipartUploadResult>");
    }
    static std::string body_of_end() {
        return with_body(
            "<CompleteMultipartUploadResult><ETag>&quot;0-1&quot;</ETag></CompleteMultipartUploadResult>");
    }
    std::string keep_in_;
    std::uint64_t uploads_ = 0;
};

/// Reads to the end of the connection, beside all others.
void serve_tls(SSL_CTX* context, int fd, sink& all, std::mutex& one_at_a_time) {
    SSL* tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    const answer_to send = [tls](std::string_view text) {
        return SSL_write(tls, text.data(), static_cast<int>(text.size())) > 0;
    };
    peer p;
    std::vector<char> room(1 << 18);
    for (bool goes_on = SSL_accept(tls) == 1; goes_on;) {
        const int n = SSL_read(tls, room.data(), static_cast<int>(room.size()));
        const std::lock_guard lock(one_at_a_time);
        goes_on = n > 0 && all.take(send, p, {room.data(), static_cast<std::size_t>(n)}) &&
                  all.finish_empty(send, p);
    }
    SSL_free(tls);
    ::close(fd);
}

struct arguments {
    std::string keep_in{}, certificate{}, key{};
};

arguments read_arguments(int argc, char** argv) {
    arguments out;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--keep" && i + 1 < argc)
            out.keep_in = argv[++i];
        else if (word == "--tls" && i + 2 < argc) {
            out.certificate = argv[++i];
            out.key = argv[++i];
        } else {
            std::fprintf(stderr, "usage: counting_sink [--keep DIRECTORY] [--tls CERTIFICATE KEY]\n");
            std::exit(2);
        }
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    const auto stop = [](int) { stopped = 1; };
    struct sigaction action{};
    action.sa_handler = stop;
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    const auto how = read_arguments(argc, argv);
    SSL_CTX* context = how.certificate.empty() ? nullptr : SSL_CTX_new(TLS_server_method());
    if (context != nullptr &&
        (SSL_CTX_use_certificate_chain_file(context, how.certificate.c_str()) != 1 ||
         SSL_CTX_use_PrivateKey_file(context, how.key.c_str(), SSL_FILETYPE_PEM) != 1)) {
        std::fprintf(stderr, "counting_sink: the certificate or its key cannot be used\n");
        return 1;
    }
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* address = reinterpret_cast<sockaddr*>(&where);
    if (::bind(listener, address, size) != 0 || ::listen(listener, 512) != 0 ||
        ::getsockname(listener, address, &size) != 0) {
        std::perror("counting_sink");
        return 1;
    }
    std::printf("%d\n", ntohs(where.sin_port));
    std::fflush(stdout);

    sink all(how.keep_in);
    std::mutex one_at_a_time;
    std::map<int, peer> peers;
    std::vector<char> room(1 << 20);
    while (!stopped) {
        std::vector<pollfd> ready{{listener, POLLIN, 0}};
        for (const auto& [fd, p] : peers) ready.push_back({fd, POLLIN, 0});
        if (::poll(ready.data(), ready.size(), -1) < 0) continue;
        if (ready[0].revents) {
            const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            const std::lock_guard lock(one_at_a_time);
            if (all.count.connections++ == 0) all.count.first = std::chrono::steady_clock::now();
            if (context == nullptr)
                peers[fd];
            else
                std::thread(serve_tls, context, fd, std::ref(all), std::ref(one_at_a_time)).detach();
        }
        for (std::size_t i = 1; i < ready.size(); ++i) {
            if (!ready[i].revents) continue;
            const int fd = ready[i].fd;
            const answer_to send = [fd](std::string_view text) { return send_all(fd, text); };
            const auto n = ::recv(fd, room.data(), room.size(), 0);
            const bool goes_on = n > 0 &&
                                 all.take(send, peers[fd], {room.data(), static_cast<std::size_t>(n)}) &&
                                 all.finish_empty(send, peers[fd]);
            if (!goes_on) {
                ::close(fd);
                peers.erase(fd);
            }
        }
    }
    const std::lock_guard lock(one_at_a_time);
    std::fputs(all.count.text().c_str(), stdout);
    std::fflush(stdout);
    std::_Exit(0);  // the connections' threads still read
}
