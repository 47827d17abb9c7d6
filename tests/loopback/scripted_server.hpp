/// A server in the test's own shard that does to each connection what a script says.
#pragma once
#include "http/client.hpp"
#include "tests/contract/real_shard.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::loopback {

using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;

/// One accepted connection. All of it ends quietly, with what came so far, when the peer has gone.
class peer {
public:
    explicit peer(tcp_socket s, int n) : socket(std::move(s)), number(n) {}
    tcp_socket socket;
    int number;  ///< 0 for the first connection

    task<> write(std::string text);
    /// Head and body of one request; empty when the client closed first.
    task<std::string> read_request();
    task<std::string> read_head();
    /// What belongs to that head.
    task<std::string> read_body(std::string head);
    /// Until the client closes.
    task<> wait_for_close();
    bool open = true;

private:
    task<> read_some();
    std::string received_{};
};

/// Listens on 127.0.0.1, on a port of its own, until stop(); or where it is told to, if it can.
class scripted_server {
public:
    using script = std::function<task<>(peer& p)>;

    scripted_server(executor ex, script what);
    scripted_server(executor ex, script what, asio::ip::tcp::endpoint where);
    std::uint16_t port() const { return port_; }
    int connections() const { return accepted_; }
    void stop();

private:
    task<> serve();
    task<> talk(std::shared_ptr<peer> p);
    asio::basic_socket_acceptor<asio::ip::tcp, executor> acceptor_;
    script what_;
    std::uint16_t port_;
    int accepted_ = 0;
};

/// A shard with a client and a server; one scenario each.
struct scenario {
    explicit scenario(scripted_server::script what, http::client_options how = quick());

    /// Short limits, so that a hang is noticed soon; what is expected to succeed takes milliseconds.
    static http::client_options quick();
    static http::request get(std::string target = "/");
    static http::request put(const std::string& body);

    result<http::response> send(http::request req);
    /// One after the other, on the same client.
    std::vector<result<http::response>> send_all(std::vector<http::request> reqs);
    std::uint64_t counter(std::string_view name) { return shard.x.count[name]; }

    task<std::vector<result<http::response>>> run_all(std::vector<http::request>& reqs);

    contract::real_shard shard;
    scripted_server server;
    http::client client;
    http::authority to;
    std::chrono::milliseconds limit{20'000};
    bool close_at_end = true;
};

std::string ok(std::string_view body, std::string_view more_headers = "");

}  // namespace firehose::loopback
