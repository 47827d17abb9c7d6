/// A server on a thread of its own, and a client that sends whatever bytes a test wants.
#pragma once
#include "http/server.hpp"
#include "pipeline/randomness.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace firehose::loopback {

/// Routes:
///   GET  /small          "ok"
///   GET  /big            8 MiB of x
///   GET  /fails          throws
///   GET  /slow           answers after 300 ms
///   POST /echo           the body
///   POST /count          the body's length; up to 16 MiB
///   POST /ignore         reads nothing of the body
///   GET  /secret         needs the header X-Key: open
///   GET|PUT /flows/{flow_id}, GET /flows/{flow_id}/events, GET /ids/{id:id}, GET /v3/{resource:word}/stream
/// Errors below /v3 are written as "v3 <code>".
class server_rig {
public:
    explicit server_rig(http::server_options how = quick(),
                        std::shared_ptr<boost::asio::ssl::context> tls = {});
    ~server_rig();

    /// Small limits and short deadlines.
    static http::server_options quick();

    std::uint16_t port() const { return port_; }
    void drain();
    void use_tls(std::shared_ptr<boost::asio::ssl::context> tls);
    /// Waits until run() has returned.
    void wait();
    std::size_t connections();
    struct seen {
        std::string route, method;
        int status = 0;
    };
    std::vector<seen> reports();

private:
    void post(std::function<void()> what);
    void add_routes();
    std::mutex lock_;
    std::vector<seen> reports_;
    asio::io_context io_{1};
    real_time time_;
    seeded_randomness random_{1};
    stop_state stop_{io_.get_executor()};
    counters count_;
    asio::thread_pool blocking_{1};
    context x_{io_.get_executor(), time_, random_, stop_, count_, blocking_};
    http::router routes_;
    std::optional<http::server> server_;
    std::uint16_t port_ = 0;
    std::jthread thread_;
};

struct raw_answer {
    int status = 0;
    std::string head{};
    std::string body{};
    bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

/// A blocking socket to 127.0.0.1. Nothing waits longer than 15 s.
class raw_client {
public:
    explicit raw_client(std::uint16_t port);
    raw_client(const raw_client&) = delete;
    ~raw_client();

    /// False when the peer does not take it any more.
    bool send(std::string_view bytes);
    /// None at the end of the stream. 100 Continue is an answer.
    std::optional<raw_answer> answer(bool without_body = false);
    /// All answers until the peer closes.
    std::vector<int> answers_until_close();
    /// The peer closes (or resets) without another byte.
    bool closed();
    void stop_sending();
    int descriptor() const { return fd_; }

private:
    bool read_more();
    int fd_;
    std::string received_{};
};

/// zlib's gzip of `text`.
std::string gzip(std::string_view text);

}  // namespace firehose::loopback
