/// The HTTP client of one shard: addresses, TLS, idle connections, one attempt after the other.
#pragma once
#include "http/options.hpp"
#include "http/pool.hpp"
#include "http/resolver.hpp"
#include "http/signer.hpp"
#include "http/tls.hpp"
#include "http/transport.hpp"

#include <set>

namespace firehose::http {

/// One per shard; outlives everything that sends through it. Proxies named in the environment are
/// ignored on purpose: who may see the traffic is decided by client_options::proxy alone.
class client {
public:
    explicit client(context& shard, client_options how = {});
    client(const client&) = delete;

    /// One attempt: takes or opens a connection, signs, sends, reads the whole answer. A reused
    /// connection that fails before any byte of an answer was closed by the server while it was
    /// idle; an idempotent request is then sent again, at once, on a fresh one. `by` may be null.
    task<result<response>> send(const authority& to, request& req, signer* by, time_source::steady deadline);

    /// Transports that send through this client, which outlives them.
    transport_factory transports();

    /// Closes what is idle. Without it, idle connections go by themselves after the idle limit.
    void close_idle() { pool_.close_idle(); }
    std::size_t idle_connections() const noexcept { return pool_.idle(); }

private:
    /// Addresses that the guard, if there is one, has seen.
    task<result<addresses>> find(const authority& to, time_source::steady deadline);
    /// The proxy's; what it is to be asked for goes into `how`.
    task<result<addresses>> find_proxy(const authority& to, connect_options& how,
                                       time_source::steady deadline);
    task<result<std::unique_ptr<connection>>> open(const authority& to, time_source::steady deadline);
    context& shard_;
    client_options how_;
    resolver resolver_;
    tls_contexts tls_;
    pool pool_;
    std::set<authority> give_no_leave_;  ///< answered 417 to an expectation
    std::uint64_t& opened_;
    std::uint64_t& reused_;
    std::uint64_t& stale_;
};

/// The bottom of a stack of transports: one authority, one signer. Whole answers of every status are
/// successes here.
class endpoint final : public transport {
public:
    endpoint(client& through, authority to, signer* by) : client_(through), to_(std::move(to)), signer_(by) {}

    task<result<response>> send(request& req, time_source::steady deadline) override {
        return client_.send(to_, req, signer_, deadline);
    }
    const authority& to() const noexcept { return to_; }

private:
    client& client_;
    authority to_;
    signer* signer_;
};

}  // namespace firehose::http
