/// One connection to a server: connect, TLS, one exchange after the other.
#pragma once
#include "http/message.hpp"
#include "http/options.hpp"
#include "http/resolver.hpp"
#include "http/url.hpp"
#include "pipeline/error.hpp"
#include "pipeline/stage.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace firehose::http {

/// What resuming a TLS session needs; opaque, shared by the connections of one authority.
using tls_session = std::shared_ptr<SSL_SESSION>;

/// Single shard. Destroying it closes the socket, without a farewell: answers are framed, and
/// waiting for the peer's close would only hold the caller up.
class connection {
public:
    virtual ~connection() = default;

    /// Writes the request and reads its answer, at the same time, so that an early refusal is seen
    /// while the body is still going out. Returns only when nothing refers to the request's bytes any
    /// more, also when cancelled. After an error, and after some answers, the connection is spent.
    virtual task<result<response>> exchange(const request& req, time_source::steady deadline) = 0;

    /// Bodies from this size on wait for leave; never_expect to begin with.
    virtual void expect_from(std::size_t bytes) noexcept = 0;
    /// The last exchange asked for leave.
    virtual bool expected() const noexcept = 0;
    /// The last exchange ended cleanly: whole answer, request fully written, nothing left over, the
    /// server did not ask to close.
    virtual bool reusable() const noexcept = 0;
    /// A byte of the last exchange's answer has arrived.
    virtual bool answered() const noexcept = 0;
    /// Nobody has sent or closed anything since. An idle connection that is not quiet is dead.
    virtual bool quiet() noexcept = 0;
    /// Null without TLS or when the server does not resume.
    virtual tls_session session() = 0;
};

struct connect_options {
    const client_options& client;
    boost::asio::ssl::context* tls = nullptr;  ///< needed when the authority wants TLS
    tls_session resume{};
    std::string tunnel_to{};  ///< the numeric address a proxy is asked for; empty: the authority's host
};

/// Tries the addresses in turn; they are the proxy's where the authority is reached through one. May be
/// cancelled; leaves nothing behind.
task<result<std::unique_ptr<connection>>> open_connection(context& shard, const authority& to,
                                                          const addresses& where, const connect_options& how,
                                                          time_source::steady deadline);

}  // namespace firehose::http
