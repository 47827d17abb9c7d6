#include "http/connection.hpp"

#include "http/tls.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/system/system_error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>

#include <sys/socket.h>

namespace firehose::http {

namespace {

namespace beast = boost::beast;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;
using tcp_socket = asio::basic_stream_socket<tcp, executor>;
using tls_stream = ssl::stream<tcp_socket>;
using timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, executor>;

/// Answers with a status from 300 up keep the first part of their body and drop the rest; others
/// must fit, since half an answer must never be mistaken for a whole one.
struct bounded_body {
    struct value_type {
        std::string text{};
        std::size_t most = 0;        ///< of an answer below 300
        std::size_t most_error = 0;  ///< of an answer from 300 up
        bool truncated = false;
    };
    class reader {
    public:
        /// Made before the head is there, so the status is looked at only when the body comes.
        template <bool Request, class Fields>
        reader(beast::http::header<Request, Fields>& head, value_type& into)
            : head_(&head),
              status_([](const void* h) {
                  return static_cast<const beast::http::header<Request, Fields>*>(h)->result_int();
              }),
              into_(into) {}
        void init(const boost::optional<std::uint64_t>& length, error_code& ec) {
            ec = {};
            if (refusal() || !length) return;
            if (*length > into_.most) {
                ec = beast::http::error::body_limit;
            } else {
                into_.text.reserve(static_cast<std::size_t>(*length));
            }
        }
        template <class Buffers> std::size_t put(const Buffers& buffers, error_code& ec) {
            ec = {};
            std::size_t taken = 0;
            for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers);
                 ++it) {
                const asio::const_buffer part(*it);
                const std::size_t room = (refusal() ? into_.most_error : into_.most) - into_.text.size();
                const std::size_t fits = std::min(room, part.size());
                into_.text.append(static_cast<const char*>(part.data()), fits);
                taken += part.size();
                if (fits == part.size()) continue;
                if (!refusal()) ec = beast::http::error::body_limit;
                into_.truncated = true;
            }
            return taken;
        }
        void finish(error_code& ec) { ec = {}; }

    private:
        bool refusal() const { return status_(head_) >= 300; }
        const void* head_;
        unsigned (*status_)(const void*);
        value_type& into_;
    };
};
using parser = beast::http::response_parser<bounded_body>;

/// Closes the socket when a phase has lasted too long. The timer is left running while the due time
/// moves away, and checks when it fires, so that progress costs an assignment and no system call.
class watchdog {
    struct shared {
        shared(executor ex, time_source& t, tcp_socket& s) : wake(ex), time(t), socket(&s) {}
        timer wake;
        time_source& time;
        tcp_socket* socket;  ///< null once the connection is gone
        time_source::steady end = time_source::steady::max();
        time_source::steady due = time_source::steady::max();
        time_source::steady armed = time_source::steady::max();
        const char* phase = "";
        bool expired = false;
    };

public:
    watchdog(executor ex, time_source& time, tcp_socket& socket)
        : s_(std::make_shared<shared>(ex, time, socket)) {}
    watchdog(const watchdog&) = delete;
    ~watchdog() {
        s_->socket = nullptr;
        s_->wake.cancel();
    }
    /// No phase lasts beyond `end`.
    void begin(time_source::steady end) {
        s_->end = end;
        s_->expired = false;
    }
    void watch(const char* phase, std::chrono::milliseconds at_most) {
        s_->phase = phase;
        s_->due = std::min(s_->end, s_->time.now() + at_most);
        if (s_->due < s_->armed) arm(s_);
    }
    void rest() {
        s_->due = time_source::steady::max();
        if (s_->armed == time_source::steady::max()) return;
        s_->armed = time_source::steady::max();
        s_->wake.cancel();
    }
    bool expired() const noexcept { return s_->expired; }
    const char* phase() const noexcept { return s_->phase; }
    bool by_deadline() const noexcept { return s_->due == s_->end; }

private:
    static void arm(const std::shared_ptr<shared>& s) {
        s->armed = s->due;
        s->wake.expires_after(std::max(s->due - s->time.now(), std::chrono::steady_clock::duration::zero()));
        s->wake.async_wait([s](error_code ec) {
            if (ec || s->socket == nullptr || s->armed == time_source::steady::max()) return;
            if (s->time.now() < s->due) {
                arm(s);
                return;
            }
            s->expired = true;
            s->armed = time_source::steady::max();
            error_code ignored;
            s->socket->close(ignored);
        });
    }
    std::shared_ptr<shared> s_;
};

tcp_socket& socket_of(tcp_socket& s) { return s; }
tcp_socket& socket_of(tls_stream& s) { return s.next_layer(); }

/// Like std::isgraph and blanks, without locale; obs-text is allowed.
bool sendable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= ' ' && c != 0x7f) || c < 0; });
}

/// A request line and headers that cannot be split by what is in them.
std::optional<std::string> head_of(const request& req, std::string_view user_agent) {
    if (req.target.empty() || req.target.find_first_of(" \t") != std::string::npos) return std::nullopt;
    if (!sendable(req.method) || !sendable(req.target)) return std::nullopt;
    std::string out;
    out.reserve(512 + req.target.size());
    out.append(req.method).append(" ").append(req.target).append(" HTTP/1.1\r\n");
    for (const auto& [name, value] : req.headers) {
        if (name.empty() || !sendable(name) || name.find_first_of(": \t") != std::string::npos)
            return std::nullopt;
        if (!sendable(value)) return std::nullopt;
        out.append(name).append(": ").append(value).append("\r\n");
    }
    if (!user_agent.empty() && !find_header(req.headers, "User-Agent"))
        out.append("User-Agent: ").append(user_agent).append("\r\n");
    const std::size_t length = body_size(req);
    if (length > 0 || req.method == "PUT" || req.method == "POST")
        out.append("Content-Length: ").append(std::to_string(length)).append("\r\n");
    out.append("\r\n");
    return out;
}

bool is_cut(const error_code& ec) {
    return ec == asio::error::eof || ec == asio::error::connection_reset || ec == asio::error::broken_pipe ||
           ec == ssl::error::stream_truncated || ec == asio::error::connection_aborted;
}

template <class Stream> class stream_connection final : public connection {
    static constexpr bool is_tls = std::is_same_v<Stream, tls_stream>;

public:
    template <class... A>
    stream_connection(context& shard, const authority& to, const client_options& how, A&&... stream)
        : shard_(shard),
          how_(how),
          name_(http::describe(to)),
          stream_(std::forward<A>(stream)...),
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
        auto head = head_of(req, how_.user_agent);
        if (!head)
            co_return error(disposition::park,
                            "the request cannot be sent: a line break or blank is where none may be");
        if (!is_tls && first && !quiet()) co_return failed("answered or closed before it was asked", {});

        // From here on nothing may throw past the write under way, which refers to the caller's bytes.
        const bool saved = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        dog_.begin(std::min(deadline, shard_.time.now() + how_.wait.whole));
        outgoing out(shard_.ex);
        dog_.watch("sending the request", how_.wait.progress);
        start_writing(out, *head, req);
        const bool head_only = req.method == "HEAD";
        result<response> answer;
        std::exception_ptr broken;
        try {
            answer = co_await read_answer(out, head_only);
        } catch (...) {
            broken = std::current_exception();
        }
        if (!out.done || !answer.has_value() || broken) close();
        while (!out.done) {
            error_code ignored;
            auto quietly = asio::redirect_error(use_task, ignored);
            co_await out.finished.async_wait(quietly);
        }
        dog_.rest();
        co_await asio::this_coro::throw_if_cancelled(saved);
        if (broken) std::rethrow_exception(broken);
        const auto cancelled = co_await asio::this_coro::cancellation_state;
        if (!answer.has_value() && cancelled.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        co_return answer;
    }

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

    error failed(std::string_view what, const error_code& ec) const {
        error_details d;
        d.code = ec;
        d.context.append(name_).append(" ").append(what);
        if (ec && !is_cut(ec)) d.context.append(": ").append(ec.message());
        return {disposition::retry, std::move(d)};
    }
    error timed_out() const {
        error_details d;
        d.code = asio::error::timed_out;
        d.context.append(name_).append(dog_.by_deadline() ? ": the time for the request ended while "
                                                          : ": no progress while ");
        d.context.append(dog_.phase());
        return {disposition::retry, std::move(d)};
    }

private:
    struct outgoing {
        explicit outgoing(executor ex) : finished(ex) {}
        std::vector<asio::const_buffer> buffers{};
        std::string flat{};
        wait_queue finished;
        error_code ec{};
        bool done = false;
    };

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

    /// One scatter write of the head and the caller's spans. Asio's TLS stream encrypts one buffer at
    /// a time, each into a record and a packet of its own, so small requests are joined for it.
    void start_writing(outgoing& out, std::string& head, const request& req) {
        constexpr std::size_t one_record = 16 * 1024;
        if (is_tls && head.size() + body_size(req) <= one_record) {
            out.flat = std::move(head);
            for (const auto& part : req.body)
                out.flat.append(reinterpret_cast<const char*>(part.data()), part.size());
            out.buffers.emplace_back(asio::buffer(out.flat));
        } else {
            out.buffers.reserve(req.body.size() + 1);
            out.buffers.emplace_back(asio::buffer(head));
            for (const auto& part : req.body)
                if (!part.empty()) out.buffers.emplace_back(part.data(), part.size());
        }
        const auto and_on = [this, sent = std::size_t{0}](const error_code& ec, std::size_t total) mutable {
            if (total > sent && !answered_) dog_.watch("sending the request", how_.wait.progress);
            sent = total;
            return ec ? std::size_t{0} : std::size_t{256 * 1024};
        };
        asio::async_write(stream_, out.buffers, and_on, [this, &out](const error_code& ec, std::size_t) {
            out.ec = ec;
            out.done = true;
            if (!ec && !answered_) dog_.watch("waiting for the answer", how_.wait.first_byte);
            out.finished.wake_all();
        });
    }

    task<result<response>> read_answer(outgoing& out, bool head_only) {
        constexpr int most_interim_answers = 8;
        for (int interim = 0; interim <= most_interim_answers; ++interim) {
            parser p;
            prepare(p, head_only);
            auto whole = co_await read_message(p);
            if (!whole.has_value()) co_return whole.error();
            const auto status = p.get().result_int();
            if (status == 101) co_return failed("switched to another protocol unasked", {});
            if (status / 100 != 1) co_return finish(p, out);
            answered_ = true;
        }
        co_return failed("sent interim answers without end", {});
    }

    void prepare(parser& p, bool head_only) {
        p.header_limit(static_cast<std::uint32_t>(how_.accept.head));
        p.body_limit(boost::none);  // bounded_body is stricter and keeps the first part of refusals
        p.eager(true);
        p.skip(head_only);
        p.get().body().most = how_.accept.body;
        p.get().body().most_error = how_.accept.error_body;
    }

    /// Feeds the parser until the message is whole, or enough of it has been kept.
    task<result<>> read_message(parser& p) {
        for (;;) {
            error_code ec;
            const std::size_t used = p.put(received_.data(), ec);
            received_.consume(used);
            if (ec && ec != beast::http::error::need_more)
                co_return failed("sent an answer that is not valid HTTP", ec);
            if (p.is_done()) co_return result<>();
            if (p.is_header_done() && p.get().body().truncated) co_return result<>();

            constexpr std::size_t at_once = 16 * 1024;
            const auto room = received_.prepare(at_once);
            auto quietly = asio::redirect_error(use_task, ec);
            const std::size_t n = co_await stream_.async_read_some(room, quietly);
            received_.commit(n);
            if (n > 0) {
                answered_ = true;
                dog_.watch("reading the answer", how_.wait.progress);
            }
            if (!ec) continue;
            if (dog_.expired()) co_return timed_out();
            if (n == 0 && ends_at_close(p, ec)) co_return result<>();
            co_return failed(answered_ ? "cut its answer off" : "closed the connection without an answer",
                             ec);
        }
    }

    /// An answer without a length ends where the connection does: by FIN, or by TLS' own farewell.
    static bool ends_at_close(parser& p, const error_code& ec) {
        if (ec != asio::error::eof || !p.is_header_done()) return false;
        error_code incomplete;
        p.put_eof(incomplete);
        return !incomplete && p.is_done();
    }

    result<response> finish(parser& p, const outgoing& out) {
        auto& message = p.get();
        if (p.need_eof() && !p.chunked() && message.count(beast::http::field::transfer_encoding) > 0)
            return failed("sent an answer in an unknown transfer coding", {});
        response r;
        r.status = static_cast<int>(message.result_int());
        if (!out.done && r.status < 300)
            return failed("reported success before it had the whole request", {});
        if (out.ec && r.status < 300) return failed("stopped reading the request, yet reported success", {});
        for (const auto& field : message) {
            const auto name = field.name_string();
            const auto value = field.value();
            r.headers.emplace_back(std::string(name.data(), name.size()),
                                   std::string(value.data(), value.size()));
        }
        r.body = std::move(message.body().text);
        r.body_truncated = message.body().truncated;
        reusable_ = p.is_done() && message.keep_alive() && !p.need_eof() && !r.body_truncated && out.done &&
                    !out.ec && received_.size() == 0 && nothing_buffered();
        return r;
    }

    context& shard_;
    const client_options& how_;
    std::string name_;
    Stream stream_;
    beast::flat_buffer received_;
    watchdog dog_;
    tls_session session_{};
    bool used_ = false;
    bool reusable_ = false;
    bool answered_ = false;
};

using plain_connection = stream_connection<tcp_socket>;
using tls_connection = stream_connection<tls_stream>;

template <class Connection>
task<result<>> connect(Connection& c, const authority& to, const addresses& where, const client_options& how,
                       time_source::steady deadline) {
    error last(disposition::retry, describe(to) + " has no address");
    for (const auto& address : where) {
        error_code ec;
        c.socket().close(ec);
        c.dog().begin(deadline);
        c.dog().watch("connecting", how.wait.connect);
        const tcp::endpoint peer(address, to.port);
        auto quietly = asio::redirect_error(use_task, ec);
        co_await c.socket().async_connect(peer, quietly);
        const bool late = c.dog().expired();
        c.dog().rest();
        if (!ec && !late) {
            c.socket().set_option(tcp::no_delay(true), ec);
            co_return result<>();
        }
        const auto cancelled = co_await asio::this_coro::cancellation_state;
        if (cancelled.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        last = late ? c.timed_out() : c.failed("cannot be reached", ec);
    }
    co_return last;
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
    if (late) co_return c.timed_out();
    const long verified = SSL_get_verify_result(handle);
    if (verified != X509_V_OK) co_return refused_certificate(to, verified);
    co_return c.failed("could not agree on TLS", ec);
}

}  // namespace

task<result<std::unique_ptr<connection>>> open_connection(context& shard, const authority& to,
                                                          const addresses& where, const connect_options& how,
                                                          time_source::steady deadline) {
    std::unique_ptr<connection> made;
    if (!to.tls) {
        auto plain = std::make_unique<plain_connection>(shard, to, how.client, shard.ex);
        auto reached = co_await connect(*plain, to, where, how.client, deadline);
        if (!reached.has_value()) co_return reached.error();
        made = std::move(plain);
        co_return made;
    }
    auto secure = std::make_unique<tls_connection>(shard, to, how.client, shard.ex, *how.tls);
    auto reached = co_await connect(*secure, to, where, how.client, deadline);
    if (!reached.has_value()) co_return reached.error();
    auto agreed = co_await handshake(*secure, to, how, deadline);
    if (!agreed.has_value()) co_return agreed.error();
    made = std::move(secure);
    co_return made;
}

}  // namespace firehose::http
