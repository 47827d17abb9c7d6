// The real binary under load: events per second and per CPU second, time from POST to durable 2xx, and what
// idle connections cost. Every 2xx has been synced.
//     serve_bench path/to/firehose [seconds per figure] [idle connections] [directory]
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using clock_type = std::chrono::steady_clock;

void need(bool ok, const std::string& what) {
    if (!ok) throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// The server as a process of its own, without any target, so that only accepting is measured.
class server_process {
public:
    server_process(const std::string& binary, const std::filesystem::path& where) {
        std::ofstream(where / "firehose.json")
            << R"({"data_dir": "data", "server": {"listen": "127.0.0.1:0", "development": true, "access_log": false,
                   "limits": {"connections": 20000, "connections_per_address": 20000, "idle_ms": 600000}}})";
        std::array<int, 2> ends{};
        need(::pipe(ends.data()) == 0, "pipe");
        pid_ = ::fork();
        need(pid_ >= 0, "fork");
        if (pid_ == 0) {
            ::dup2(ends[1], STDERR_FILENO);
            const auto config = (where / "firehose.json").string();
            ::execl(binary.c_str(), binary.c_str(), "serve", "--config", config.c_str(), "--json", nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        read_end_ = ends[0];
        wait_until_ready();
    }
    server_process(const server_process&) = delete;
    ~server_process() {
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
        ::close(read_end_);
    }
    std::uint16_t port() const { return port_; }
    double cpu_seconds() const {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
        std::string text((std::istreambuf_iterator<char>(file)), {});
        std::istringstream rest(text.substr(text.rfind(')') + 2));
        std::string skipped;
        for (int i = 0; i < 11; ++i) rest >> skipped;
        double user = 0, system = 0;
        rest >> user >> system;
        return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    double resident_megabytes() const {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
        double size = 0, resident = 0;
        file >> size >> resident;
        return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
    }

private:
    void wait_until_ready() {
        std::string text;
        std::array<char, 4096> block;
        while (text.find(" ready pending=") == std::string::npos) {
            const auto n = ::read(read_end_, block.data(), block.size());
            if (n <= 0) throw std::runtime_error("the server does not start: " + text);
            text.append(block.data(), static_cast<std::size_t>(n));
        }
        const auto at = text.find("address=127.0.0.1:");
        port_ = static_cast<std::uint16_t>(std::stoul(text.substr(at + 18)));
    }
    pid_t pid_ = -1;
    int read_end_ = -1;
    std::uint16_t port_ = 0;
};

class connection {
public:
    explicit connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        need(fd_ >= 0, "socket");
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        need(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0, "connect");
    }
    connection(connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~connection() {
        if (fd_ >= 0) ::close(fd_);
    }
    void exchange(const std::string& request) const {
        for (std::size_t sent = 0; sent < request.size();) {
            const auto n = ::send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
            need(n > 0, "send");
            sent += static_cast<std::size_t>(n);
        }
        std::array<char, 8192> answer;
        std::size_t got = 0;
        for (std::string_view text; text.find("\r\n\r\n{") == std::string_view::npos || !text.ends_with("}");
             text = {answer.data(), got}) {
            const auto n = ::recv(fd_, answer.data() + got, answer.size() - got, 0);
            need(n > 0, "recv");
            got += static_cast<std::size_t>(n);
        }
        if (std::string_view(answer.data(), got).substr(9, 3) != "202")
            throw std::runtime_error("refused: " + std::string(answer.data(), got));
    }

private:
    int fd_;
};

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

double at(const std::vector<double>& sorted, double share) {
    return sorted[std::min(sorted.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

void measure(const server_process& server, const char* name, const std::string& request, std::size_t events,
             unsigned connections, double seconds) {
    std::vector<std::vector<double>> times(connections);
    const double cpu_before = server.cpu_seconds();
    const auto begin = clock_type::now();
    const auto end =
        begin + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds));
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < connections; ++i)
            threads.emplace_back([&, i] {
                const connection c(server.port());
                while (clock_type::now() < end) {
                    const auto asked = clock_type::now();
                    c.exchange(request);
                    times[i].push_back(
                        std::chrono::duration<double, std::milli>(clock_type::now() - asked).count());
                }
            });
    }
    const double took = std::chrono::duration<double>(clock_type::now() - begin).count();
    const double cpu = server.cpu_seconds() - cpu_before;
    std::vector<double> all;
    for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
    std::ranges::sort(all);
    const double count = static_cast<double>(all.size() * events);
    std::printf(
        "%-36s %3u connections: %8.0f events/s, %8.0f per CPU second; ms p50 %.2f, p99 %.2f, p999 %.2f\n",
        name, connections, count / took, cpu > 0 ? count / cpu : 0, at(all, 0.5), at(all, 0.99),
        at(all, 0.999));
}

void run(const std::string& binary, const std::filesystem::path& where, double seconds, std::size_t idle) {
    const server_process server(binary, where);
    const auto single = request_of(event_of(1, 1024), "application/json");
    std::string lines;
    for (std::size_t i = 0; i < 100; ++i) lines += event_of(i, 1023) + "\n";
    const auto many = request_of(lines, "application/x-ndjson");
    measure(server, "1 KB, one event a request", single, 1, 1, seconds);
    measure(server, "1 KB, one event a request", single, 1, 64, seconds);
    measure(server, "100 KB, 100 events a request", many, 100, 8, seconds);
    const double before = server.resident_megabytes();
    std::vector<connection> waiting;
    for (std::size_t i = 0; i < idle; ++i) waiting.emplace_back(server.port());
    measure(server, "1 KB, beside the idle connections", single, 1, 64, seconds);
    std::printf("%zu idle connections: %.1f MB more than the %.1f MB before them\n", idle,
                server.resident_megabytes() - before, before);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: serve_bench path/to/firehose [seconds] [idle connections] [directory]\n", stderr);
        return 2;
    }
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
    const auto idle = static_cast<std::size_t>(argc > 3 ? std::atol(argv[3]) : 10'000);
    const auto below = argc > 4 ? std::filesystem::path(argv[4]) : std::filesystem::temp_directory_path();
    std::string where = below / "firehose-serve-bench-XXXXXX";
    if (::mkdtemp(where.data()) == nullptr) return 1;
    int code = 0;
    try {
        run(std::filesystem::absolute(argv[1]), where, seconds, idle);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        code = 1;
    }
    std::error_code ignored;
    std::filesystem::remove_all(where, ignored);
    return code;
}
