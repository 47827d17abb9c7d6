#include "http/connection.hpp"

#include "http/answer_reader.hpp"
#include "http/dial.hpp"
#include "http/request_head.hpp"
#include "http/tls.hpp"
#include "http/watchdog.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <span>
#include <utility>

#include <sys/socket.h>

namespace firehose::http {

namespace {

namespace ssl = asio::ssl;
using tls_stream = ssl::stream<tcp_socket>;

tcp_socket& socket_of(tcp_socket& s) { return s; }
tcp_socket& socket_of(tls_stream& s) { return s.next_layer(); }

/// A request on its way out.
struct outgoing {
    explicit outgoing(executor ex) : finished(ex) {}
    void begin() {
        rest.clear();
        ec = {};
        whole = false;
        under_way = false;
    }
    std::string head{};
    std::string joined{};                     ///< head and body in one piece, for TLS
    std::vector<asio::const_buffer> rest{};   ///< what has not been handed to a write yet
    std::span<const asio::const_buffer> now;  ///< what the write under way is about
    wait_queue finished;
    error_code ec{};
    bool whole = false;      ///< all of it was written
    bool under_way = false;  ///< a write refers to the buffers
};

/// The parts of `buffers` behind the first `sent` bytes.
std::span<const asio::const_buffer> without(std::vector<asio::const_buffer>& buffers, std::size_t sent) {
    std::size_t gone = 0;
    while (gone < buffers.size() && sent >= buffers[gone].size()) sent -= buffers[gone++].size();
    if (gone < buffers.size()) buffers[gone] += sent;
    return std::span(buffers).subspan(gone);
}

template <class Stream> class stream_connection final : public connection {
    static constexpr bool is_tls = std::is_same_v<Stream, tls_stream>;

public:
    template <class... A>
    stream_connection(context& shard, const authority& to, const client_options& how, A&&... stream)
        : shard_(shard),
          how_(how),
          name_(http::describe(to, how)),
          stream_(std::forward<A>(stream)...),
          reader_(how.accept),
          out_(shard.ex),
          dog_(shard.ex, shard.time, socket_of(stream_)) {}

    ~stream_connection() override {
        // OpenSSL takes a connection that ends without a farewell for an attack and forbids resuming
        // its session; our answers carry their length, and the farewell is left out on purpose.
        if constexpr (is_tls) {
            if (session_)
                SSL_set_shutdown(stream_.native_handle(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        }
    }

    Stream& stream() noexcept { return stream_; }
    watchdog& dog() noexcept { return dog_; }
    tcp_socket& socket() noexcept { return socket_of(stream_); }

    task<result<response>> exchange(const request& req, time_source::steady deadline) override {
        const bool first = !used_;
        used_ = true;
        reusable_ = false;
        answered_ = false;
        expected_ = body_size(req) > 0 && body_size(req) >= expect_from_;
        const auto when = expected_ ? body_goes::on_leave : body_goes::at_once;
        if (!write_head(out_.head, req, how_.user_agent, when))
            co_return error(disposition::park,
                            "the request cannot be sent: a line break or blank is where none may be");
        if (!is_tls && first && !quiet())
            co_return connection_failed(name_, "answered or closed before it was asked", {});

        // From here on nothing may throw past the write under way, which refers to the caller's bytes.
        const bool saved = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        dog_.begin(std::min(deadline, shard_.time.now() + how_.wait.whole));
        result<response> answer;
        std::exception_ptr broken;
        try {
            start_writing(req);
            answer = co_await read_answer(req);
        } catch (...) {
            broken = std::current_exception();
        }
        dog_.rest();
        if (!out_.whole || !answer.has_value() || broken) close();
        while (out_.under_way) {
            error_code ignored;
            auto quietly = asio::redirect_error(use_task, ignored);
            co_await out_.finished.async_wait(quietly);
        }
        dog_.rest();
        body_ = body_after_head_ = nullptr;
        co_await asio::this_coro::throw_if_cancelled(saved);
        if (broken) std::rethrow_exception(broken);
        const auto cancelled = co_await asio::this_coro::cancellation_state;
        if (!answer.has_value() && cancelled.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        co_return answer;
    }

    void expect_from(std::size_t bytes) noexcept override { expect_from_ = bytes; }
    bool expected() const noexcept override { return expected_; }
    bool reusable() const noexcept override { return reusable_; }
    bool answered() const noexcept override { return answered_; }

    bool quiet() noexcept override {
        if (!socket().is_open() || !nothing_buffered()) return false;
        char byte = 0;
        const auto n = ::recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }

    tls_session session() override {
        if constexpr (is_tls) {
            SSL_SESSION* const now = SSL_get_session(stream_.native_handle());
            if (now != nullptr && now != session_.get() && SSL_SESSION_is_resumable(now) == 1) {
                SSL_SESSION_up_ref(now);
                session_ = tls_session(now, SSL_SESSION_free);
            }
        }
        return session_;
    }

private:
    void close() noexcept {
        error_code ignored;
        socket().close(ignored);
    }

    bool nothing_buffered() noexcept {
        if constexpr (is_tls) {
            SSL* const s = stream_.native_handle();
            return SSL_has_pending(s) == 0 && BIO_pending(SSL_get_rbio(s)) == 0;
        }
        return true;
    }

    /// Asio's TLS stream encrypts one buffer at a time, each into a record and a packet of its own, so
    /// small requests are joined for it. All others are one scatter write of the head and the caller's
    /// spans. A body that waits for leave follows in send_body().
    void start_writing(const request& req) {
        out_.begin();
        constexpr std::size_t one_record = 16 * 1024;
        if (expected_) {
            out_.rest.emplace_back(asio::buffer(out_.head));
            body_ = &req;
            write_rest();
            dog_.watch("waiting for leave to send the body", how_.wait.leave, [this] { send_body(); });
            return;
        }
        if (is_tls && out_.head.size() + body_size(req) <= one_record) {
            out_.joined.assign(out_.head);
            for (const auto& part : req.body)
                out_.joined.append(reinterpret_cast<const char*>(part.data()), part.size());
            out_.rest.emplace_back(asio::buffer(out_.joined));
        } else {
            out_.rest.emplace_back(asio::buffer(out_.head));
            add_body(req);
        }
        write_rest();
    }

    void add_body(const request& req) {
        for (const auto& part : req.body)
            if (!part.empty()) out_.rest.emplace_back(part.data(), part.size());
    }

    /// The server gave leave, or was silent for long enough.
    void send_body() {
        if (body_ == nullptr) return;
        const auto& req = *std::exchange(body_, nullptr);
        if (out_.ec) return;
        if (out_.under_way) {  // the head is not even out: the body goes behind it
            body_after_head_ = &req;
            return;
        }
        out_.rest.clear();
        add_body(req);
        write_rest();
    }

    void write_rest() {
        dog_.watch("sending the request", how_.wait.progress);
        out_.now = out_.rest;
        if constexpr (!is_tls) {
            error_code ec;
            const std::size_t sent = stream_.write_some(out_.now, ec);  // never waits
            out_.now = without(out_.rest, sent);
            if (ec == asio::error::would_block) ec = {};
            if (ec || out_.now.empty()) return written(ec);
        }
        const auto and_on = [this, sent = std::size_t{0}](const error_code& ec, std::size_t total) mutable {
            if (total > sent && may_watch_writing()) dog_.watch("sending the request", how_.wait.progress);
            sent = total;
            return ec ? std::size_t{0} : std::size_t{256 * 1024};
        };
        out_.under_way = true;
        asio::async_write(stream_, out_.now, and_on, [this](const error_code& ec, std::size_t) {
            out_.under_way = false;
            written(ec);
            out_.finished.wake_all();
        });
    }

    void written(const error_code& ec) {
        out_.ec = ec;
        if (ec || !socket().is_open()) return;
        if (body_ != nullptr) return;  // it waits for leave
        if (body_after_head_ != nullptr) {
            out_.rest.clear();
            add_body(*std::exchange(body_after_head_, nullptr));
            return write_rest();
        }
        out_.whole = true;
        if (may_watch_writing()) dog_.watch("waiting for the answer", how_.wait.first_byte);
    }

    /// The answer's own progress counts as soon as there is some, leave for the body aside.
    bool may_watch_writing() const noexcept { return body_ == nullptr && (!answered_ || expected_); }

    task<result<response>> read_answer(const request& req) {
        constexpr int most_interim_answers = 8;
        using state = answer_reader::state;
        const auto kind = req.method == "HEAD" ? answer_body::none : answer_body::possible;
        int interim = 0;
        auto got = reader_.begin(kind);
        for (;;) {
            if (got == state::broken) co_return connection_failed(name_, reader_.problem(), {});
            if (got == state::whole) {
                const int status = reader_.status();
                if (status == 101)
                    co_return connection_failed(name_, "switched to another protocol unasked", {});
                if (status / 100 != 1) co_return finish();
                if (++interim > most_interim_answers)
                    co_return connection_failed(name_, "sent interim answers without end", {});
                if (status == 100) send_body();
                got = reader_.begin(kind);
                if (got != state::partial) continue;
            }
            error_code ec;
            const auto room = reader_.room();
            auto quietly = asio::redirect_error(use_task, ec);
            const std::size_t n = co_await stream_.async_read_some(room, quietly);
            if (n > 0) {
                answered_ = true;
                if (body_ == nullptr) dog_.watch("reading the answer", how_.wait.progress);
                got = reader_.add(n);
            }
            if (!ec || got != state::partial) continue;
            if (dog_.expired()) co_return connection_late(name_, dog_);
            const bool ends_here = ec == asio::error::eof;  // FIN, or TLS' own farewell
            if (ends_here) got = reader_.end();
            if (got == state::whole) continue;
            co_return cut(ec);
        }
    }

    error cut(const error_code& ec) {
        if (auto refusal = refused_client_certificate(name_, ec)) return *refusal;
        return connection_failed(
            name_, answered_ ? "cut its answer off" : "closed the connection without an answer", ec);
    }

    result<response> finish() {
        const bool refusal = reader_.status() >= 300;
        if (!refusal && !out_.whole && !out_.ec)
            return connection_failed(name_, "reported success before it had the whole request", {});
        if (!refusal && out_.ec)
            return connection_failed(name_, "stopped reading the request, yet reported success", {});
        reusable_ = reader_.keep_alive() && out_.whole && !reader_.left_over() && nothing_buffered();
        return reader_.take();
    }

    context& shard_;
    const client_options& how_;
    std::string name_;
    Stream stream_;
    answer_reader reader_;
    outgoing out_;
    watchdog dog_;
    tls_session session_{};
    const request* body_ = nullptr;             ///< waits for leave
    const request* body_after_head_ = nullptr;  ///< has it, and waits for the head to be out
    std::size_t expect_from_ = never_expect;
    bool expected_ = false;
    bool used_ = false;
    bool reusable_ = false;
    bool answered_ = false;
};

using plain_connection = stream_connection<tcp_socket>;
using tls_connection = stream_connection<tls_stream>;

template <class Connection>
task<result<>> reach(Connection& c, const authority& to, const addresses& where, const connect_options& how,
                     time_source::steady deadline) {
    auto reached = co_await dial(c.socket(), c.dog(), to, where, how.client, deadline);
    if (!reached.has_value() || !goes_through(how.client.proxy, to)) co_return reached;
    authority end = to;
    if (!how.tunnel_to.empty()) end.host = how.tunnel_to;
    co_return co_await open_tunnel(c.socket(), c.dog(), end, how.client, deadline);
}

error refused_certificate(const authority& to, long why) {
    error_details d;
    d.code = asio::error::no_permission;
    d.context = describe(to) +
                " showed a certificate that is not trusted: " + X509_verify_cert_error_string(why) +
                "; check the endpoint's host name and the file of trusted certificates";
    return {disposition::stop, std::move(d)};
}

task<result<>> handshake(tls_connection& c, const authority& to, const connect_options& how,
                         time_source::steady deadline) {
    SSL* const handle = c.stream().native_handle();
    const auto name = describe(to, how.client);
    error_code ec = expect_host(handle, to.host);
    if (ec) co_return error(disposition::stop, "the host of " + describe(to) + " cannot be verified by TLS");
    if (how.resume) SSL_set_session(handle, how.resume.get());
    c.dog().begin(deadline);
    c.dog().watch("agreeing on TLS", how.client.wait.tls);
    auto quietly = asio::redirect_error(use_task, ec);
    co_await c.stream().async_handshake(ssl::stream_base::client, quietly);
    const bool late = c.dog().expired();
    c.dog().rest();
    ERR_clear_error();
    if (!ec && !late) co_return result<>();
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    if (late) co_return connection_late(name, c.dog());
    const long verified = SSL_get_verify_result(handle);
    if (verified != X509_V_OK) co_return refused_certificate(to, verified);
    if (auto refusal = refused_client_certificate(name, ec)) co_return *refusal;
    co_return connection_failed(name, "could not agree on TLS", ec);
}

}  // namespace

task<result<std::unique_ptr<connection>>> open_connection(context& shard, const authority& to,
                                                          const addresses& where, const connect_options& how,
                                                          time_source::steady deadline) {
    std::unique_ptr<connection> made;
    if (!to.tls) {
        auto plain = std::make_unique<plain_connection>(shard, to, how.client, shard.ex);
        auto reached = co_await reach(*plain, to, where, how, deadline);
        if (!reached.has_value()) co_return reached.error();
        made = std::move(plain);
        co_return made;
    }
    auto secure = std::make_unique<tls_connection>(shard, to, how.client, shard.ex, *how.tls);
    auto reached = co_await reach(*secure, to, where, how, deadline);
    if (!reached.has_value()) co_return reached.error();
    auto agreed = co_await handshake(*secure, to, how, deadline);
    if (!agreed.has_value()) co_return agreed.error();
    made = std::move(secure);
    co_return made;
}

}  // namespace firehose::http
