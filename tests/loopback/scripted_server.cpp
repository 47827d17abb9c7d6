#include "tests/loopback/scripted_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstdlib>

namespace firehose::loopback {

task<> peer::write(std::string text) {
    if (!open) co_return;
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    const auto bytes = asio::buffer(text);
    co_await asio::async_write(socket, bytes, quietly);
    if (ec) open = false;
}

task<> peer::read_some() {
    std::array<char, 65536> block;
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    const auto room = asio::buffer(block);
    const std::size_t n = co_await socket.async_read_some(room, quietly);
    received_.append(block.data(), n);
    if (ec) open = false;
}

task<std::string> peer::read_head() {
    while (open && received_.find("\r\n\r\n") == std::string::npos) co_await read_some();
    const auto end = received_.find("\r\n\r\n");
    if (end == std::string::npos) co_return std::string();
    std::string head = received_.substr(0, end + 4);
    received_.erase(0, end + 4);
    co_return head;
}

task<std::string> peer::read_request() {
    std::string head = co_await read_head();
    const std::string body = co_await read_body(head);
    co_return head + body;
}

task<std::string> peer::read_body(std::string head) {
    const auto length = head.find("Content-Length: ");
    if (length == std::string::npos) co_return std::string();
    const std::size_t wanted = std::strtoull(head.c_str() + length + 16, nullptr, 10);
    while (open && received_.size() < wanted) co_await read_some();
    std::string body = received_.substr(0, wanted);
    received_.erase(0, wanted);
    co_return body;
}

task<> peer::wait_for_close() {
    while (open) co_await read_some();
}

scripted_server::scripted_server(executor ex, script what)
    : scripted_server(ex, std::move(what), asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

scripted_server::scripted_server(executor ex, script what, asio::ip::tcp::endpoint where)
    : acceptor_(ex, where), what_(std::move(what)), port_(acceptor_.local_endpoint().port()) {
    asio::co_spawn(ex, serve(), asio::detached);
}

task<> scripted_server::serve() {
    for (;;) {
        tcp_socket s(acceptor_.get_executor());
        error_code ec;
        auto quietly = asio::redirect_error(use_task, ec);
        co_await acceptor_.async_accept(s, quietly);
        if (ec) co_return;
        auto p = std::make_shared<peer>(std::move(s), accepted_++);
        asio::co_spawn(acceptor_.get_executor(), talk(std::move(p)), asio::detached);
    }
}

task<> scripted_server::talk(std::shared_ptr<peer> p) { co_await what_(*p); }

void scripted_server::stop() { acceptor_.close(); }

http::client_options scenario::quick() {
    http::client_options how;
    how.wait.first_byte = std::chrono::milliseconds(5000);
    how.wait.progress = std::chrono::milliseconds(5000);
    return how;
}

scenario::scenario(scripted_server::script what, http::client_options how)
    : server(shard.x.ex, std::move(what)), client(shard.x, std::move(how)) {
    to.tls = false;
    to.host = "127.0.0.1";
    to.port = server.port();
}

http::request scenario::get(std::string target) {
    http::request req;
    req.method = "GET";
    req.target = std::move(target);
    return req;
}

http::request scenario::put(const std::string& body) {
    http::request req;
    req.method = "PUT";
    req.target = "/bucket/key";
    req.body = {std::as_bytes(std::span(body.data(), body.size()))};
    return req;
}

task<std::vector<result<http::response>>> scenario::run_all(std::vector<http::request>& reqs) {
    std::vector<result<http::response>> answers;
    for (auto& req : reqs) {
        const auto deadline = shard.x.time.now() + limit;
        auto answer = co_await client.send(to, req, nullptr, deadline);
        answers.push_back(std::move(answer));
    }
    if (close_at_end) {
        client.close_idle();
        server.stop();
    }
    co_return answers;
}

std::vector<result<http::response>> scenario::send_all(std::vector<http::request> reqs) {
    return shard.run(run_all(reqs));
}

result<http::response> scenario::send(http::request req) {
    std::vector<http::request> one;
    one.push_back(std::move(req));
    return std::move(send_all(std::move(one)).front());
}

std::string ok(std::string_view body, std::string_view more_headers) {
    std::string out =
        "HTTP/1.1 200 OK\r\nETag: \"abc\"\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    return out.append(more_headers).append("\r\n").append(body);
}

}  // namespace firehose::loopback
