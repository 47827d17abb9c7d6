#include "http/dial.hpp"

#include "http/answer_reader.hpp"
#include "http/digest.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <span>

namespace firehose::http {

namespace {

using tcp = asio::ip::tcp;

bool is_cut(const error_code& ec) {
    return ec == asio::error::eof || ec == asio::error::connection_reset || ec == asio::error::broken_pipe ||
           ec == asio::ssl::error::stream_truncated || ec == asio::error::connection_aborted;
}

task<> throw_if_aborted() {
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}

std::string host_and_port(const std::string& host, std::uint16_t port) {
    const bool numeric_six = host.find(':') != std::string::npos;
    return (numeric_six ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

std::string connect_request(const authority& to, const client_options& how) {
    const auto target = host_and_port(to.host, to.port);
    std::string out = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (!how.user_agent.empty()) out.append("User-Agent: ").append(how.user_agent).append("\r\n");
    const auto& via = *how.proxy;
    if (!via.username.empty()) {
        std::string pair = via.username + ":" + via.password.reveal();
        auto encoded = to_base64(std::as_bytes(std::span(pair)));
        out.append("Proxy-Authorization: Basic ").append(encoded).append("\r\n");
        wipe(pair);
        wipe(encoded);
    }
    return out.append("\r\n");
}

/// Nothing to object to, or nobody who would.
result<> check_peer(tcp_socket& socket, const authority& to, const tcp::endpoint& dialled,
                    const client_options& how) {
    if (!how.guard || goes_through(how.proxy, to)) return {};
    error_code ec;
    const auto peer = socket.remote_endpoint(ec);
    if (ec) return connection_failed(describe(to, how), "was gone at once", ec);
    return how.guard->check_peer(to, dialled.address(), peer.address());
}

std::string_view advice_for(int status) {
    switch (status) {
        case 407: return "check the proxy's user name and password";
        case 403:
        case 405: return "the proxy must allow tunnels (CONNECT) to this host and port";
        case 502:
        case 503:
        case 504: return "the proxy could not reach the host";
        default: return "check that it is an HTTP proxy";
    }
}

error refused_tunnel(const authority& to, const client_options& how, int status) {
    error_details d;
    d.status = status;
    d.context.append("the proxy ").append(describe(*how.proxy)).append(" refused a tunnel to ");
    d.context.append(host_and_port(to.host, to.port)).append(": ").append(std::to_string(status));
    d.context.append("; ").append(advice_for(status));
    const bool passing = status >= 500 || status == 408 || status == 429;
    return {passing ? disposition::retry : disposition::stop, std::move(d)};
}

}  // namespace

std::string describe(const authority& to, const client_options& how) {
    auto out = describe(to);
    if (goes_through(how.proxy, to))
        out.append(" (through the proxy ").append(describe(*how.proxy)).append(")");
    return out;
}

error connection_failed(std::string_view name, std::string_view what, const error_code& ec) {
    error_details d;
    d.code = ec;
    d.context.append(name).append(" ").append(what);
    if (ec && !is_cut(ec)) d.context.append(": ").append(ec.message());
    return {disposition::retry, std::move(d)};
}

error connection_late(std::string_view name, const watchdog& dog) {
    error_details d;
    d.code = asio::error::timed_out;
    d.context.append(name).append(dog.by_deadline() ? ": the time for the request ended while "
                                                    : ": no progress while ");
    d.context.append(dog.phase());
    return {disposition::retry, std::move(d)};
}

task<result<>> dial(tcp_socket& socket, watchdog& dog, const authority& to, const addresses& where,
                    const client_options& how, time_source::steady deadline) {
    const bool via = goes_through(how.proxy, to);
    const auto name = describe(to, how);
    const auto port = via ? how.proxy->port : to.port;
    error last(disposition::retry, name + " has no address");
    for (const auto& address : where) {
        error_code ec;
        socket.close(ec);
        dog.begin(deadline);
        dog.watch("connecting", how.wait.connect);
        const tcp::endpoint peer(address, port);
        auto quietly = asio::redirect_error(use_task, ec);
        co_await socket.async_connect(peer, quietly);
        const bool late = dog.expired();
        dog.rest();
        if (!ec && !late) {
            auto there = check_peer(socket, to, peer, how);
            if (!there.has_value()) {
                socket.close(ec);
                co_return there;
            }
            socket.set_option(tcp::no_delay(true), ec);
            socket.non_blocking(true, ec);  // so that what fits can be written without waiting
            co_return result<>();
        }
        co_await throw_if_aborted();
        last = late ? connection_late(name, dog) : connection_failed(name, "cannot be reached", ec);
    }
    co_return last;
}

task<result<>> open_tunnel(tcp_socket& socket, watchdog& dog, const authority& to, const client_options& how,
                           time_source::steady deadline) {
    const auto name = "the proxy " + describe(*how.proxy);
    auto text = connect_request(to, how);
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    dog.begin(deadline);
    dog.watch("asking the proxy for a tunnel", how.wait.connect);
    const auto bytes = asio::buffer(text);
    co_await asio::async_write(socket, bytes, quietly);
    wipe(text);
    answer_reader reader(how.accept);
    auto got = reader.begin(answer_body::none);
    while (!ec && got != answer_reader::state::broken) {
        if (got == answer_reader::state::whole && reader.status() / 100 != 1) break;
        if (got == answer_reader::state::whole) {
            got = reader.begin(answer_body::none);
            if (got != answer_reader::state::partial) continue;
        }
        const auto room = reader.room();
        const std::size_t n = co_await socket.async_read_some(room, quietly);
        if (!ec) got = reader.add(n);
    }
    const bool late = dog.expired();
    dog.rest();
    if (late) co_return connection_late(name, dog);
    if (got == answer_reader::state::broken) co_return connection_failed(name, reader.problem(), {});
    if (ec) {
        co_await throw_if_aborted();
        co_return connection_failed(name, "closed the connection without an answer", ec);
    }
    if (reader.status() / 100 != 2) co_return refused_tunnel(to, how, reader.status());
    if (reader.left_over()) co_return connection_failed(name, "sent more than its answer", {});
    co_return result<>();
}

}  // namespace firehose::http
