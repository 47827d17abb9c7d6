// The real binary under load: events per second and per CPU second, time from POST to durable 2xx, and what
// idle connections cost. Every 2xx has been synced. nginx, where it is installed, answers 204 to the same
// bodies without keeping them: the floor.
//     serve_bench path/to/firehose [seconds per figure] [idle connections] [directory]
#include "tests/bench/child_server.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace firehose::bench;

std::string event_of(std::size_t number, std::size_t bytes) {
    std::string text = R"({"id":")" + std::to_string(number) +
                       R"(","vars":{"lead":{"id":"66f1c0de940df5a34a388800"}},"text":")";
    text.append(bytes - text.size() - 2, 'x');
    return text + "\"}";
}

std::string request_of(const std::string& body, const char* type) {
    return "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + std::string(type) +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct load {
    const char* name;
    const std::string& request;
    std::size_t events;
    unsigned connections;
};

void show(const char* who, const child_server& server, std::uint16_t port, const load& what, int expected,
          double seconds) {
    const auto one = [&](connection& c, unsigned) {
        const auto reply = c.exchange(what.request);
        if (reply.status != expected) throw std::runtime_error("refused: " + std::string(reply.body));
        return what.events;
    };
    const auto f = measure(server, port, what.connections, seconds, one);
    const auto count = static_cast<double>(f.units);
    std::printf("%-9s %-34s %3u connections: %8.0f events/s, %8.0f per CPU second; ms p50 %.2f, p99 %.2f, "
                "p999 %.2f\n",
                who, what.name, what.connections, count / f.seconds,
                f.cpu_seconds > 0 ? count / f.cpu_seconds : 0, f.p50_ms, f.p99_ms, f.p999_ms);
}

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0, "socket");
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    need(::bind(fd, reinterpret_cast<const sockaddr*>(&at), size) == 0, "bind");
    need(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0, "getsockname");
    ::close(fd);
    return ntohs(at.sin_port);
}

std::optional<std::string> find_nginx() {
    for (const char* path : {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"})
        if (::access(path, X_OK) == 0) return path;
    return std::nullopt;
}

/// One process, so that its CPU seconds are easy to have.
void compare_with_nginx(const std::filesystem::path& where, const std::vector<load>& loads, double seconds) {
    const auto nginx = find_nginx();
    if (!nginx) {
        std::printf("nginx is not installed: no floor\n");
        return;
    }
    const auto port = free_port();
    const auto config = where / "nginx.conf";
    std::ofstream(config) << "daemon off; master_process off; pid " << (where / "nginx.pid").string()
                          << "; error_log stderr notice; events { worker_connections 1024; }\n"
                          << "http { access_log off; client_body_temp_path " << where.string()
                          << "; client_max_body_size 10m; keepalive_requests 100000000;\n"
                          << "server { listen 127.0.0.1:" << port << "; location / { return 204; } } }\n";
    const std::vector<std::string> command{*nginx,         "-e", "stderr",       "-p",
                                           where.string(), "-c", config.string()};
    const child_server server(command, "getrlimit(RLIMIT_NOFILE)");
    for (const auto& one : loads) show("nginx 204", server, port, one, 204, seconds);
}

void run(const std::string& binary, const std::filesystem::path& where, double seconds, std::size_t idle) {
    const auto single = request_of(event_of(1, 1024), "application/json");
    std::string lines;
    for (std::size_t i = 0; i < 100; ++i) lines += event_of(i, 1023) + "\n";
    const auto many = request_of(lines, "application/x-ndjson");
    const std::vector<load> loads{{"1 KB, one event a request", single, 1, 1},
                                  {"1 KB, one event a request", single, 1, 64},
                                  {"100 KB, 100 events a request", many, 100, 8}};
    {
        const firehose_server server(binary, where,
                                     R"(, "limits": {"connections": 20000, "connections_per_address": 20000,
                                        "idle_ms": 600000})");
        for (const auto& one : loads) show("firehose", server, server.port(), one, 202, seconds);
        const double before = server.resident_megabytes();
        // In turn, since the machine's own moods are larger than what is asked.
        const load alone{"1 KB, no idle connections", single, 1, 64};
        const load beside{"1 KB, beside the idle connections", single, 1, 64};
        for (int round = 0; round < 3; ++round) {
            show("firehose", server, server.port(), alone, 202, seconds);
            std::vector<connection> waiting;
            for (std::size_t i = 0; i < idle; ++i) waiting.emplace_back(server.port());
            show("firehose", server, server.port(), beside, 202, seconds);
            std::printf("%zu idle connections: %.1f MB more than the %.1f MB before them\n", idle,
                        server.resident_megabytes() - before, before);
        }
    }
    compare_with_nginx(where, loads, seconds);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: serve_bench path/to/firehose [seconds] [idle connections] [directory]\n", stderr);
        return 2;
    }
    const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
    const auto idle = static_cast<std::size_t>(argc > 3 ? std::atol(argv[3]) : 10'000);
    const auto below = argc > 4 ? std::filesystem::path(argv[4]) : std::filesystem::temp_directory_path();
    const auto binary = std::filesystem::absolute(argv[1]);
    return run_below(below, [&](const auto& where) { run(binary, where, seconds, idle); });
}
