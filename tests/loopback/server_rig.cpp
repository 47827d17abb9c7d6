#include "tests/loopback/server_rig.hpp"

#include <boost/asio/co_spawn.hpp>
#include <zlib.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <stdexcept>

namespace firehose::loopback {

using namespace std::chrono_literals;
using http::answer;
using http::body_reader;
using http::request_head;

namespace {

http::response text(int status, std::string body) {
    http::response r;
    r.status = status;
    r.headers.emplace_back("Content-Type", "text/plain");
    r.body = std::move(body);
    return r;
}

task<answer> small(request_head&, body_reader&) { co_return text(200, "ok"); }
task<answer> big(request_head&, body_reader&) { co_return text(200, std::string(8u << 20, 'x')); }
task<answer> fails(request_head&, body_reader&) {
    throw std::runtime_error("on purpose");
    co_return text(200, "");
}
task<answer> slow(request_head&, body_reader&) {
    real_time time;
    const auto later = time.now() + 300ms;
    co_await time.sleep_until(later);
    co_return text(200, "late");
}
task<answer> echo(request_head&, body_reader& body) {
    auto all = co_await http::read_all(body, 1 << 20);
    if (all.has_error()) co_return http::refusal_of(all.error());
    co_return text(200, std::move(*all));
}
task<answer> count(request_head&, body_reader& body) {
    std::size_t total = 0;
    for (;;) {
        auto piece = co_await body.next();
        if (piece.has_error()) co_return http::refusal_of(piece.error());
        if (piece->empty()) break;
        total += piece->size();
    }
    co_return text(200, std::to_string(total));
}
task<answer> parameters(request_head& head, body_reader&) {
    std::string out;
    for (const auto& [name, value] : head.parameters) out += name + "=" + value + ";";
    co_return text(200, out + head.query);
}

}  // namespace

http::server_options server_rig::quick() {
    http::server_options how;
    how.most.head.line = 2000;
    how.most.head.head = 8000;
    how.most.head.headers = 40;
    how.most.body = 1 << 20;
    how.most.drained = 10'000;
    how.most.pipelined = 32;
    how.wait.head = 700ms;
    how.wait.body = 700ms;
    how.wait.answer = 700ms;
    how.wait.idle = 30'000ms;
    how.wait.linger = 1000ms;
    how.wait.drain = 3000ms;
    how.wait.tick = 10ms;
    how.wait.least_rate = 1 << 20;
    return how;
}

server_rig::server_rig(http::server_options how, std::shared_ptr<boost::asio::ssl::context> tls) {
    add_routes();
    how.access = [](request_head& head, const http::route& to) -> std::optional<http::refusal> {
        if (to.access.empty()) return std::nullopt;
        const auto* key = http::find_header(head.headers, "X-Key");
        if (key != nullptr && *key == to.access) return std::nullopt;
        http::refusal no(401, "unauthorized", "not authorized");
        no.headers.emplace_back("WWW-Authenticate", "Bearer");
        return no;
    };
    how.done = [this](const http::request_report& r) {
        const std::lock_guard hold(lock_);
        reports_.push_back({std::string(r.route), r.head.method, r.status});
    };
    server_.emplace(x_, routes_, std::move(how));
    server_->use_tls(std::move(tls));
    auto socket = http::listen_on("127.0.0.1:0", true);
    if (socket.has_error()) throw std::runtime_error(socket.error().context());
    port_ = socket->port();
    std::vector<http::listening_socket> on;
    on.push_back(std::move(*socket));
    asio::co_spawn(io_, server_->run(std::move(on)), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
    thread_ = std::jthread([this] { io_.run(); });
}

server_rig::~server_rig() {
    drain();
    wait();
    blocking_.join();
}

void server_rig::add_routes() {
    routes_.add({.method = "GET", .pattern = "/small", .run = small});
    routes_.add({.method = "GET", .pattern = "/big", .run = big});
    routes_.add({.method = "GET", .pattern = "/fails", .run = fails});
    routes_.add({.method = "GET", .pattern = "/slow", .run = slow});
    routes_.add({.method = "POST", .pattern = "/echo", .run = echo});
    routes_.add({.method = "POST", .pattern = "/count", .run = count, .max_body = 16u << 20});
    routes_.add({.method = "POST", .pattern = "/ignore", .run = small});
    routes_.add({.method = "GET", .pattern = "/secret", .run = small, .access = "open"});
    routes_.add({.method = "GET", .pattern = "/flows/{flow_id}", .run = parameters});
    routes_.add({.method = "PUT", .pattern = "/flows/{flow_id}", .run = parameters});
    routes_.add({.method = "GET", .pattern = "/flows/{flow_id}/events", .run = parameters});
    routes_.add({.method = "GET", .pattern = "/ids/{id:id}", .run = parameters});
    routes_.add({.method = "GET", .pattern = "/v3/{resource:word}/stream", .run = parameters});
    routes_.set_errors("/v3", [](const request_head&, const http::refusal& why) {
        return text(why.status, "v3 " + why.code);
    });
}

void server_rig::post(std::function<void()> what) {
    asio::post(io_, [what = std::move(what)] { what(); });
}
void server_rig::drain() {
    post([this] { stop_.request_drain(); });
}
void server_rig::use_tls(std::shared_ptr<boost::asio::ssl::context> tls) {
    post([this, tls] { server_->use_tls(tls); });
}
void server_rig::wait() {
    if (thread_.joinable()) thread_.join();
}
std::size_t server_rig::connections() {
    std::promise<std::size_t> told;
    post([&] { told.set_value(server_->connections()); });
    return told.get_future().get();
}
std::vector<server_rig::seen> server_rig::reports() {
    const std::lock_guard hold(lock_);
    return reports_;
}

raw_client::raw_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{15, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0)
        throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
}

raw_client::~raw_client() { ::close(fd_); }

bool raw_client::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

bool raw_client::read_more() {
    std::array<char, 65536> block;
    const auto n = ::recv(fd_, block.data(), block.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        throw std::runtime_error("the peer is silent for 15 s");
    if (n <= 0) return false;
    received_.append(block.data(), static_cast<std::size_t>(n));
    return true;
}

std::optional<raw_answer> raw_client::answer(bool without_body) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
        if (!read_more()) return std::nullopt;
    raw_answer out;
    out.head = received_.substr(0, end + 2);
    out.status = std::stoi(out.head.substr(9, 3));
    std::size_t length = 0;
    if (const auto at = out.head.find("Content-Length: "); at != std::string::npos && !without_body)
        length = std::stoul(out.head.substr(at + 16));
    while (received_.size() < end + 4 + length)
        if (!read_more()) return std::nullopt;
    out.body = received_.substr(end + 4, length);
    received_.erase(0, end + 4 + length);
    return out;
}

std::vector<int> raw_client::answers_until_close() {
    std::vector<int> out;
    while (const auto one = answer()) out.push_back(one->status);
    return out;
}

bool raw_client::closed() { return received_.empty() && !read_more(); }

void raw_client::stop_sending() { ::shutdown(fd_, SHUT_WR); }

std::string gzip(std::string_view text) {
    z_stream z{};
    constexpr int gzip_window = 16 + MAX_WBITS;
    if (deflateInit2(&z, 9, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
    std::string out(deflateBound(&z, text.size()) + 64, '\0');
    z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

}  // namespace firehose::loopback
