#include "http/server.hpp"

#include "http/date.hpp"
#include "http/inflate.hpp"
#include "http/server_lines.hpp"
#include "pipeline/scope.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <map>

#include <sys/socket.h>

namespace firehose::http {

namespace {

namespace beast = boost::beast;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;
using tcp_socket = line::socket;
using tcp_acceptor = asio::basic_socket_acceptor<tcp, executor>;
using tls_stream = ssl::stream<tcp_socket>;

constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::size_t head_read = 4 * 1024;
constexpr std::size_t body_read = 64 * 1024;
constexpr std::size_t discarded = 1024 * 1024;

/// Keeps what one call of put() yields; whoever calls takes it before the next.
struct piece_body {
    using value_type = std::string;
    class reader {
    public:
        template <bool Request, class Fields>
        reader(beast::http::header<Request, Fields>&, value_type& into) : into_(into) {}
        void init(const boost::optional<std::uint64_t>&, error_code& ec) { ec = {}; }
        template <class Buffers> std::size_t put(const Buffers& buffers, error_code& ec) {
            ec = {};
            std::size_t taken = 0;
            for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers);
                 ++it) {
                const asio::const_buffer part(*it);
                into_.append(static_cast<const char*>(part.data()), part.size());
                taken += part.size();
            }
            return taken;
        }
        void finish(error_code& ec) { ec = {}; }

    private:
        value_type& into_;
    };
};
using request_parser = beast::http::request_parser<piece_body>;

tcp_socket& socket_of(tcp_socket& s) { return s; }
tcp_socket& socket_of(tls_stream& s) { return s.next_layer(); }

error broken_body(int status, std::string code, std::string text) {
    error_details d;
    d.status = status;
    d.provider_code = std::move(code);
    d.context = std::move(text);
    return {disposition::park, std::move(d)};
}

/// An address, and of IPv6 the part that one customer has many of.
std::string address_key(const asio::ip::address& a) {
    if (a.is_v4()) return a.to_string();
    const auto bytes = a.to_v6().to_bytes();
    if (a.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, a.to_v6()).to_string();
    return {reinterpret_cast<const char*>(bytes.data()), 8};
}

std::string address_text(const asio::ip::address& a) {
    if (a.is_v6() && a.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, a.to_v6()).to_string();
    return a.to_string();
}

std::string make_uuid(randomness& random) {
    std::array<std::byte, 16> bytes;
    random.fill(bytes);
    bytes[6] = (bytes[6] & std::byte{0x0F}) | std::byte{0x40};
    bytes[8] = (bytes[8] & std::byte{0x3F}) | std::byte{0x80};
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        out += digits[std::to_integer<std::size_t>(bytes[i] >> 4)];
        out += digits[std::to_integer<std::size_t>(bytes[i] & std::byte{15})];
    }
    return out;
}

/// The path in a request line as far as it has come, for the form of errors: nobody has checked it.
std::string_view path_of_line(std::string_view head) {
    head = head.substr(0, head.find_first_of("\r\n"));
    auto target = head.substr(std::min(head.find(' ') + 1, head.size()));
    if (const auto scheme = target.find("://"); scheme < target.find('/'))
        target.remove_prefix(std::min(target.find('/', scheme + 3), target.size()));
    return target.substr(0, target.find_first_of("? "));
}

bool is_sendable(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

}  // namespace

class server::core {
public:
    core(context& shard, const router& to, server_options options)
        : x(shard),
          routes(to),
          how(std::move(options)),
          changed(shard.ex),
          timeouts(shard.count["http_server_timeouts"]),
          requests(shard.count["http_server_requests"]),
          failures(shard.count["http_server_handler_failures"]),
          accepted(shard.count["http_server_connections"]),
          refused(shard.count["http_server_refused_connections"]) {}

    /// A place among the connections, for as long as one lasts.
    class seat {
    public:
        seat(core& of, std::string key) : of_(&of), key_(std::move(key)) {
            ++of_->open;
            ++of_->per_address[key_];
        }
        seat(seat&& other) noexcept : of_(std::exchange(other.of_, nullptr)), key_(std::move(other.key_)) {}
        seat& operator=(seat&&) = delete;
        ~seat() {
            if (of_ == nullptr) return;
            --of_->open;
            const auto mine = of_->per_address.find(key_);
            if (--mine->second == 0) of_->per_address.erase(mine);
            of_->changed.wake_all();
        }

    private:
        core* of_;
        std::string key_;
    };

    task<> serve(task_scope& s, std::vector<listening_socket> on);

    context& x;
    const router& routes;
    const server_options how;
    std::shared_ptr<ssl::context> tls{};
    line_table lines{};
    std::size_t open = 0, running = 0;
    std::map<std::string, std::size_t> per_address{};
    bool draining = false;
    wait_queue changed;
    std::uint64_t &timeouts, &requests, &failures;

private:
    task<> accept_from(task_scope& s, std::shared_ptr<tcp_acceptor> from);
    void admit(task_scope& s, tcp_socket peer, const asio::ip::address& address);
    void turn_away(tcp_socket peer, int status) const;
    task<> converse(tcp_socket peer, std::string address, seat mine);
    task<> sweep();
    void close_idle() {
        lines.for_all([](line& one) {
            if (one.at() == phase::idle) one.cancel();
        });
    }
    std::uint64_t &accepted, &refused;
};

namespace {

/// One request on its way, from its head to its answer.
struct exchange_state {
    request_head head{};
    guarded_head guard{};
    request_parser parser{};
    std::function<void(std::uint64_t, beast::string_view, error_code&)> on_chunk{};
    const route* where = nullptr;
    const error_writer* form = nullptr;
    time_source::steady began{};
    std::optional<time_source::steady> body_began{};
    std::size_t most = 0;
    std::uint64_t received = 0;
    std::size_t extensions = 0;
    bool framed = false;             ///< the guard and the parser took the head
    bool awaiting_continue = false;  ///< the client has not been asked for the body
    bool gone = false;
    std::optional<error> broken{};  ///< the body cannot be read on

    bool whole() const { return !framed || parser.is_done(); }
};

template <class Stream> class conversation {
    static constexpr bool is_tls = std::is_same_v<Stream, tls_stream>;

public:
    template <class... A>
    conversation(server::core& of, std::string address, A&&... stream)
        : core_(of),
          address_(std::move(address)),
          stream_(std::forward<A>(stream)...),
          line_(of.lines, socket_of(stream_)) {
        error_code ignored;
        socket().set_option(tcp::no_delay(true), ignored);
    }
    conversation(const conversation&) = delete;

    task<> run() {
        if constexpr (is_tls) {
            const bool agreed = co_await handshake();
            if (!agreed) co_return;
        }
        bool again = true;
        while (again) again = co_await exchange_one();
    }

    /// body_reader::next() of the request under way.
    task<result<bytes_view>> read_body(exchange_state& now) {
        for (;;) {
            if (now.broken) co_return *now.broken;
            auto piece = parse_more(now);
            if (piece.has_error()) now.broken = piece.error();
            if (piece.has_error() || !piece->empty() || now.parser.is_done()) co_return piece;
            if (now.awaiting_continue) {
                const bool asked = co_await ask_for_body(now);
                if (!asked) co_return *now.broken;
            }
            const auto allowed = begin_of_body(now) + core_.how.wait.body + time_for(now.received);
            line_.enter(phase::body, allowed);
            error_code ec;
            co_await read_some(body_read, ec);
            const bool late = line_.expired();
            line_.enter(phase::working, time_source::steady::max());
            if (!ec) continue;
            now.gone = !late;
            now.broken = late ? broken_body(408, "timeout", "the body came too slowly")
                              : broken_body(0, "gone", "the peer closed before the end of the body");
        }
    }

private:
    struct arrival {
        std::size_t length = 0;  ///< of a whole head at the front of the buffer
        std::optional<refusal> why{};
        bool nothing = false;  ///< close, there is nobody to answer
    };

    tcp_socket& socket() { return socket_of(stream_); }
    time_source::steady now() const { return core_.x.time.now(); }
    std::chrono::milliseconds time_for(std::uint64_t bytes) const {
        return std::chrono::milliseconds(bytes * 1000 / std::max<std::size_t>(1, core_.how.wait.least_rate));
    }
    std::string_view buffered() const {
        return {static_cast<const char*>(in_.data().data()), in_.data().size()};
    }
    time_source::steady begin_of_body(exchange_state& of) {
        if (!of.body_began) of.body_began = now();
        return *of.body_began;
    }

    task<bool> handshake() {
        error_code ec;
        line_.enter(phase::handshake, now() + core_.how.wait.tls);
        auto quietly = asio::redirect_error(use_task, ec);
        co_await stream_.async_handshake(ssl::stream_base::server, quietly);
        ERR_clear_error();
        co_return !ec;
    }

    task<> read_some(std::size_t at_most, error_code& ec) {
        const auto room = in_.prepare(at_most);
        auto quietly = asio::redirect_error(use_task, ec);
        const std::size_t n = co_await stream_.async_read_some(room, quietly);
        in_.commit(n);
    }

    /// Waits for the first byte of a request, without a buffer of its own as far as that is possible.
    task<bool> wait_for_request() {
        if (core_.draining) co_return false;
        in_ = beast::flat_buffer();
        line_.enter(phase::idle, now() + core_.how.wait.idle);
        error_code ec;
        if constexpr (is_tls) {
            constexpr std::size_t little = 512;
            co_await read_some(little, ec);
        } else {
            auto quietly = asio::redirect_error(use_task, ec);
            co_await stream_.async_wait(tcp_socket::wait_read, quietly);
        }
        if (!ec) co_return true;
        // Told to drain in the moment in which a request came: it is answered.
        error_code unknown;
        co_return core_.draining && !line_.expired() && socket().available(unknown) > 0;
    }

    task<arrival> read_head() {
        arrival out;
        pipelined_ = in_.size() > 0 ? pipelined_ + 1 : 0;
        if (in_.size() == 0) {
            const bool came = co_await wait_for_request();
            out.nothing = !came;
            if (!came) co_return out;
        }
        line_.enter(phase::head, now() + core_.how.wait.head);
        std::size_t checked = 0;
        bool empty_line_allowed = true;
        for (;;) {
            if (empty_line_allowed && buffered().starts_with("\r\n")) {
                in_.consume(2);
                empty_line_allowed = false;
                checked = 0;
            }
            const auto end = buffered().find(end_of_head);
            const auto head =
                buffered().substr(0, end == std::string_view::npos ? end : end + end_of_head.size());
            out.why = check_partial_head(head, checked, core_.how.most.head);
            if (end != std::string_view::npos) out.length = head.size();
            if (out.why || out.length > 0) co_return out;
            error_code ec;
            co_await read_some(head_read, ec);
            if (!ec) continue;
            out.nothing = !line_.expired() || in_.size() == 0;
            out.why = refusal(408, "timeout", "the head of the request came too slowly");
            co_return out;
        }
    }

    /// Guard first, then the parser; both must take the head.
    std::optional<refusal> begin(exchange_state& of, std::size_t length) {
        const auto bytes = buffered().substr(0, length);
        auto guarded = guard_head(bytes, core_.how.most.head);
        if (auto* why = std::get_if<refusal>(&guarded)) return std::move(*why);
        of.guard = std::move(std::get<guarded_head>(guarded));
        of.parser.header_limit(static_cast<std::uint32_t>(length + core_.how.most.trailers));
        of.parser.body_limit(boost::none);  // counted here
        of.parser.eager(true);
        of.on_chunk = [&of, most = core_.how.most.chunk_extensions](
                          std::uint64_t, beast::string_view extensions, error_code& ec) {
            of.extensions += extensions.size();
            if (of.extensions > most) ec = beast::http::error::bad_chunk_extension;
        };
        of.parser.on_chunk_header(of.on_chunk);
        error_code ec;
        const std::size_t used = of.parser.put(asio::buffer(bytes.data(), bytes.size()), ec);
        if (ec == beast::http::error::need_more) ec = {};
        if (ec || used != length || !of.parser.is_header_done())
            return refusal(400, "bad_request", "the head of the request is malformed");
        in_.consume(length);
        of.framed = true;
        of.awaiting_continue = of.guard.expects_continue;
        const auto question = std::min(of.guard.target.find('?'), of.guard.target.size());
        of.head.method = of.guard.method;
        of.head.path = of.guard.target.substr(0, question);
        if (question < of.guard.target.size()) of.head.query = of.guard.target.substr(question + 1);
        of.head.headers = std::move(of.guard.headers);
        of.head.length = of.guard.length;
        return std::nullopt;
    }

    result<bytes_view> parse_more(exchange_state& of) {
        auto& text = of.parser.get().body();
        text.clear();
        if (of.parser.is_done() || in_.size() == 0) return bytes_view();
        of.awaiting_continue = false;  // it is there already
        error_code ec;
        const std::size_t used = of.parser.put(in_.data(), ec);
        in_.consume(used);
        if (ec && ec != beast::http::error::need_more)
            return broken_body(400, "bad_request", "the body is not framed as HTTP says");
        if (used == 0 && in_.size() > core_.how.most.trailers)
            return broken_body(400, "bad_request", "a chunk's header or the trailers are too long");
        of.received += text.size();
        if (of.received > of.most)
            return broken_body(413, "too_large",
                               "the body is larger than " + std::to_string(of.most) + " bytes");
        return as_bytes(text);
    }

    task<bool> ask_for_body(exchange_state& of) {
        of.awaiting_continue = false;
        static constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
        const auto bytes = asio::buffer(interim.data(), interim.size());
        line_.enter(phase::body, now() + core_.how.wait.answer);
        error_code ec;
        auto quietly = asio::redirect_error(use_task, ec);
        co_await asio::async_write(stream_, bytes, quietly);
        if (!ec) co_return true;
        of.gone = true;
        of.broken = broken_body(0, "gone", "the peer closed before the body");
        co_return false;
    }

    class wire_body final : public body_reader {
    public:
        wire_body(conversation& by, exchange_state& of) : by_(by), of_(of) {}
        task<result<bytes_view>> next() override { return by_.read_body(of_); }

    private:
        conversation& by_;
        exchange_state& of_;
    };

    std::optional<refusal> choose_route(exchange_state& of) {
        auto match = core_.routes.find(of.head.method, of.head.path);
        of.form = match.errors;
        if (match.why) return match.why;
        of.where = match.found;
        of.head.parameters = std::move(match.parameters);
        of.most = of.where->max_body != 0 ? of.where->max_body : core_.how.most.body;
        if (core_.how.access) {
            auto why = core_.how.access(of.head, *of.where);
            if (why) return why;
        }
        if (of.guard.length.value_or(0) > of.most)
            return refusal(413, "too_large", "the body is larger than " + std::to_string(of.most) + " bytes");
        return std::nullopt;
    }

    /// Whether the body is gzip; a refusal for what nobody here can read.
    std::variant<bool, refusal> is_gzip(const request_head& head) const {
        bool gzip = false;
        std::size_t fields = 0;
        for (const auto& [name, value] : head.headers) {
            if (!same_name(name, "Content-Encoding")) continue;
            gzip = same_name(value, "gzip") || same_name(value, "x-gzip");
            if (++fields > 1 || (!gzip && !same_name(value, "identity")))
                return refusal(415, "unsupported_encoding", "the one Content-Encoding read here is gzip");
        }
        return gzip;
    }

    task<answer> dispatch(exchange_state& of) {
        answer made = refusal(500, "server_error", "the server failed to answer this request");
        auto why = choose_route(of);
        if (why) co_return std::move(*why);
        auto gzip = is_gzip(of.head);
        if (auto* unknown = std::get_if<refusal>(&gzip)) co_return std::move(*unknown);
        wire_body wire(*this, of);
        std::unique_ptr<body_reader> inflated;
        if (std::get<bool>(gzip)) {
            inflate_limits most;
            most.bytes = of.most;
            most.ratio = core_.how.most.gzip_ratio;
            inflated = inflating(wire, most);
        }
        body_reader& body = inflated ? *inflated : static_cast<body_reader&>(wire);
        std::exception_ptr failure;
        try {
            made = co_await of.where->run(of.head, body);
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure) co_return made;
        if (is_cancellation(failure)) std::rethrow_exception(failure);
        ++core_.failures;
        core_.x.log.error("a request handler failed",
                          {{"route", of.where->pattern}, {"id", of.head.id}, {"reason", describe(failure)}});
        co_return made;
    }

    response finish(const exchange_state& of, answer made) const {
        if (auto* ready = std::get_if<response>(&made)) return std::move(*ready);
        const auto& why = std::get<refusal>(made);
        auto out = (*of.form)(of.head, why);
        for (const auto& h : why.headers) out.headers.push_back(h);
        return out;
    }

    std::string head_of(const exchange_state& of, const response& r, bool keep) const {
        std::string out = "HTTP/1.1 " + std::to_string(r.status) + " ";
        out.append(reason_of(r.status)).append("\r\n");
        for (const auto& [name, value] : r.headers)
            if (is_sendable(name) && is_sendable(value))
                out.append(name).append(": ").append(value).append("\r\n");
        if (r.status != 204 && r.status != 304)
            out.append("Content-Length: ").append(std::to_string(r.body.size())).append("\r\n");
        out.append("Date: ").append(format_date(core_.x.time.wall_now())).append("\r\n");
        out.append("X-Request-Id: ").append(of.head.id).append("\r\n");
        if (!keep) out.append("Connection: close\r\n");
        return out.append("\r\n");
    }

    task<bool> write_answer(const exchange_state& of, const response& r, bool keep) {
        const std::string head = head_of(of, r, keep);
        const bool bare = of.head.method == "HEAD" || r.status == 204 || r.status == 304;
        const std::size_t size = bare ? 0 : r.body.size();
        const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(r.body.data(), size)};
        line_.enter(phase::answer, now() + core_.how.wait.answer + time_for(size));
        error_code ec;
        auto quietly = asio::redirect_error(use_task, ec);
        co_await asio::async_write(stream_, parts, quietly);
        co_return !ec;
    }

    task<bool> exchange_one() {
        arrival came = co_await read_head();
        if (came.nothing) co_return false;
        line_.enter(phase::working, time_source::steady::max());
        const running_mark mark(core_);
        ++core_.requests;
        auto state = std::make_unique<exchange_state>();
        auto& of = *state;
        of.began = now();
        of.head.id = make_uuid(core_.x.random);
        of.head.peer = address_;
        of.head.tls = is_tls;
        of.form = &core_.routes.errors_for(path_of_line(buffered()));
        of.most = core_.how.most.body;
        auto why = came.why ? std::move(came.why) : begin(of, came.length);
        answer made = refusal(500, "server_error", "the server failed to answer this request");
        if (why)
            made = std::move(*why);
        else
            made = co_await dispatch(of);
        const response reply = finish(of, std::move(made));
        co_return co_await conclude(of, reply);
    }

    /// Sends the answer and decides what becomes of the connection.
    task<bool> conclude(exchange_state& of, const response& reply) {
        const auto& most = core_.how.most;
        const std::uint64_t left =
            of.guard.length.value_or(0) - std::min(of.received, of.guard.length.value_or(0));
        const bool little_left = !of.guard.chunked && !of.awaiting_continue && left <= most.drained;
        bool keep =
            of.framed && of.guard.keep_alive && !of.broken && !core_.draining && (of.whole() || little_left);
        keep = keep && ++served_ < most.requests && pipelined_ < most.pipelined;
        bool written = false;
        if (!of.gone) written = co_await write_answer(of, reply, keep);
        report(of, reply, written);
        if (!written) co_return false;
        while (keep && !of.whole()) {
            auto rest = co_await read_body(of);
            keep = rest.has_value();
        }
        if (!keep) co_await linger();
        co_return keep;
    }

    void report(const exchange_state& of, const response& reply, bool written) const {
        if (!core_.how.done) return;
        request_report what{.head = of.head};
        if (of.where != nullptr) what.route = of.where->pattern;
        what.status = written ? reply.status : 0;
        what.received = of.received;
        what.sent = written ? reply.body.size() : 0;
        what.took = now() - of.began;
        core_.how.done(what);
    }

    /// A close with unread bytes would reset the connection and take the answer with it.
    task<> linger() {
        line_.enter(phase::linger, now() + core_.how.wait.linger);
        error_code ec;
        if constexpr (is_tls) {
            auto quietly = asio::redirect_error(use_task, ec);
            co_await stream_.async_shutdown(quietly);
            ERR_clear_error();
        }
        socket().shutdown(tcp_socket::shutdown_send, ec);
        in_.clear();
        std::size_t thrown_away = 0;
        while (!ec && !line_.expired() && thrown_away < discarded) {
            const auto room = in_.prepare(head_read);
            auto quietly = asio::redirect_error(use_task, ec);
            thrown_away += co_await socket().async_read_some(room, quietly);
        }
    }

    /// Counts the requests between their head and the end of their answer.
    struct running_mark {
        explicit running_mark(server::core& c) : of(c) { ++of.running; }
        running_mark(const running_mark&) = delete;
        ~running_mark() { --of.running; }
        server::core& of;
    };

    server::core& core_;
    std::string address_;
    Stream stream_;
    line line_;
    beast::flat_buffer in_{};
    std::size_t served_ = 0, pipelined_ = 0;
};

}  // namespace

task<> server::core::serve(task_scope& s, std::vector<listening_socket> on) {
    std::vector<std::shared_ptr<tcp_acceptor>> acceptors;
    for (auto& socket : on) {
        const auto family = socket.address().starts_with('[') ? tcp::v6() : tcp::v4();
        acceptors.push_back(std::make_shared<tcp_acceptor>(x.ex, family, socket.release()));
        s.spawn(accept_from(s, acceptors.back()));
    }
    s.spawn(sweep());
    co_await x.stop.wait_for_drain();
    draining = true;
    error_code ignored;
    for (const auto& one : acceptors) one->close(ignored);
    const auto until = x.time.now() + how.wait.drain;
    while (open > 0 && x.time.now() < until) {
        close_idle();
        const auto soon = x.time.now() + how.wait.tick;
        co_await x.time.sleep_until(soon);
    }
    if (open > 0) x.log.warning("connections cut at the drain deadline", {{"connections", open}});
    s.cancel();
}

task<> server::core::accept_from(task_scope& s, std::shared_ptr<tcp_acceptor> from) {
    while (!draining) {
        tcp_socket peer(x.ex);
        tcp::endpoint where;
        error_code ec;
        auto quietly = asio::redirect_error(use_task, ec);
        co_await from->async_accept(peer, where, quietly);
        if (draining || !from->is_open()) co_return;
        if (!ec) {
            admit(s, std::move(peer), where.address());
            continue;
        }
        // Mostly out of descriptors: those that are open go on, and free some.
        x.log.warning("cannot accept a connection", {{"reason", ec.message()}});
        const auto later = x.time.now() + std::chrono::milliseconds(100);
        co_await x.time.sleep_until(later);
    }
}

void server::core::admit(task_scope& s, tcp_socket peer, const asio::ip::address& address) {
    auto key = address_key(address);
    const auto same = per_address.find(key);
    const bool full = open >= how.most.connections;
    if (full || (same != per_address.end() && same->second >= how.most.connections_per_address)) {
        ++refused;
        turn_away(std::move(peer), full ? 503 : 429);
        return;
    }
    ++accepted;
    s.spawn(converse(std::move(peer), address_text(address), seat(*this, std::move(key))));
}

void server::core::turn_away(tcp_socket peer, int status) const {
    if (tls) return;
    std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
    text.append(reason_of(status))
        .append("\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    (void)::send(peer.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

task<> server::core::converse(tcp_socket peer, std::string address, seat) {
    std::exception_ptr failure;
    const auto secret = tls;
    try {
        if (secret) {
            auto talk = std::make_unique<conversation<tls_stream>>(*this, std::move(address), std::move(peer),
                                                                   *secret);
            co_await talk->run();
        } else {
            auto talk =
                std::make_unique<conversation<tcp_socket>>(*this, std::move(address), std::move(peer));
            co_await talk->run();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) co_return;
    if (is_cancellation(failure)) std::rethrow_exception(failure);
    x.log.error("a connection failed", {{"reason", describe(failure)}});
}

task<> server::core::sweep() {
    for (;;) {
        const auto next = x.time.now() + how.wait.tick;
        co_await x.time.sleep_until(next);
        lines.for_overdue(x.time.now(), [this](line& one) {
            if (one.expire() && one.at() != phase::idle && one.at() != phase::linger) ++timeouts;
        });
    }
}

server::server(context& x, const router& routes, server_options how)
    : core_(std::make_unique<core>(x, routes, std::move(how))) {}

server::~server() = default;

void server::use_tls(std::shared_ptr<boost::asio::ssl::context> tls) { core_->tls = std::move(tls); }

task<> server::run(std::vector<listening_socket> on) {
    return with_scope(core_->x.ex, [&c = *core_, on = std::move(on)](task_scope& s) mutable {
        return c.serve(s, std::move(on));
    });
}

std::size_t server::connections() const noexcept { return core_->open; }
std::size_t server::running_requests() const noexcept { return core_->running; }

}  // namespace firehose::http
