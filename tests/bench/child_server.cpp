#include "tests/bench/child_server.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firehose::bench {

using clock_type = std::chrono::steady_clock;

void need(bool ok, const std::string& what) {
    if (!ok) throw std::runtime_error(what + ": " + std::strerror(errno));
}

child_server::child_server(const std::vector<std::string>& command, std::string_view ready) {
    std::vector<char*> arguments;
    for (const auto& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
    arguments.push_back(nullptr);
    std::array<int, 2> ends{};
    need(::pipe(ends.data()) == 0, "pipe");
    pid_ = ::fork();
    need(pid_ >= 0, "fork");
    if (pid_ == 0) {
        ::dup2(ends[1], STDERR_FILENO);
        ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        ::execvp(arguments.front(), arguments.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    read_end_ = ends[0];
    std::array<char, 4096> block;
    while (said_.find(ready) == std::string::npos) {
        const auto n = ::read(read_end_, block.data(), block.size());
        if (n <= 0) throw std::runtime_error("the server does not start: " + said_);
        said_.append(block.data(), static_cast<std::size_t>(n));
    }
}

child_server::~child_server() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    ::close(read_end_);
}

double child_server::cpu_seconds() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream rest(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) rest >> skipped;
    double user = 0, system = 0;
    rest >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double child_server::resident_megabytes() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
    double size = 0, resident = 0;
    file >> size >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

namespace {

std::vector<std::string> command_for(const std::string& binary, const std::filesystem::path& where,
                                     const std::string& more) {
    const auto config = where / "firehose.json";
    std::ofstream(config)
        << R"({"data_dir": "data", "server": {"listen": "127.0.0.1:0", "development": true,)"
        << R"("access_log": false)" << more << "}}";
    return {binary, "serve", "--config", config.string(), "--json"};
}

}  // namespace

firehose_server::firehose_server(const std::string& binary, const std::filesystem::path& where,
                                 const std::string& more)
    : child_server(command_for(binary, where, more), " ready pending=") {
    constexpr std::string_view before = "address=127.0.0.1:";
    port_ = static_cast<std::uint16_t>(std::stoul(said().substr(said().find(before) + before.size())));
}

connection::connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    need(fd_ >= 0, "socket");
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0, "connect");
}

connection::connection(connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}

connection::~connection() {
    if (fd_ >= 0) ::close(fd_);
}

connection::reply connection::exchange(std::string_view request) {
    while (!request.empty()) {
        const auto n = ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
        need(n > 0, "send");
        request.remove_prefix(static_cast<std::size_t>(n));
    }
    received_.clear();
    std::size_t head = 0, whole = 0;
    while (whole == 0 || received_.size() < whole) {
        constexpr std::size_t at_once = 64 << 10;
        const auto before = received_.size();
        received_.resize(before + at_once);
        const auto n = ::recv(fd_, received_.data() + before, at_once, 0);
        received_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        need(n > 0, "recv");
        head = received_.find("\r\n\r\n");
        if (whole != 0 || head == std::string::npos) continue;
        constexpr std::string_view name = "\r\nContent-Length: ";
        const auto length = received_.find(name);
        whole = head + 4 + (length < head ? std::stoul(received_.substr(length + name.size(), 20)) : 0);
    }
    return {std::stoi(received_.substr(9, 3)), std::string_view(received_).substr(head + 4)};
}

figures measure(const child_server& server, std::uint16_t port, unsigned connections, double seconds,
                const exchange_once& one) {
    std::vector<std::vector<double>> times(connections);
    std::vector<std::size_t> units(connections);
    const double cpu_before = server.cpu_seconds();
    const auto begin = clock_type::now();
    const auto end =
        begin + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds));
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < connections; ++i)
            threads.emplace_back([&, i] {
                connection c(port);
                for (auto now = begin; now < end;) {
                    const auto asked = clock_type::now();
                    units[i] += one(c, i);
                    now = clock_type::now();
                    times[i].push_back(std::chrono::duration<double, std::milli>(now - asked).count());
                }
            });
    }
    figures out;
    out.seconds = std::chrono::duration<double>(clock_type::now() - begin).count();
    out.cpu_seconds = server.cpu_seconds() - cpu_before;
    std::vector<double> all;
    for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
    std::ranges::sort(all);
    const auto at = [&](double share) {
        return all[std::min(all.size() - 1,
                            static_cast<std::size_t>(share * static_cast<double>(all.size())))];
    };
    out.requests = all.size();
    for (const auto n : units) out.units += n;
    out.p50_ms = at(0.5);
    out.p99_ms = at(0.99);
    out.p999_ms = at(0.999);
    return out;
}

int run_below(const std::filesystem::path& below,
              const std::function<void(const std::filesystem::path&)>& what) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    std::string where = below / "firehose-bench-XXXXXX";
    if (::mkdtemp(where.data()) == nullptr) return 1;
    int code = 0;
    try {
        what(where);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        code = 1;
    }
    std::error_code ignored;
    std::filesystem::remove_all(where, ignored);
    return code;
}

}  // namespace firehose::bench
