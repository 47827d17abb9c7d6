/// Idle connections, per authority, the last used first.
#pragma once
#include "http/connection.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <cstddef>
#include <deque>
#include <map>
#include <memory>

namespace firehose::http {

/// Single shard. Holds idle connections only; those in use belong to their user. Closes them unasked
/// when they get older than the idle limit; while any is idle a timer keeps the shard's context busy.
class pool {
public:
    pool(context& shard, const client_options& how);
    ~pool();

    /// The most recently used one that is still alive; null when there is none.
    std::unique_ptr<connection> take(const authority& to);
    /// Keeps a reusable connection and closes any other.
    void give_back(const authority& to, std::unique_ptr<connection> c);
    /// For the next connection to that authority; null when none is known.
    tls_session session_for(const authority& to) const;
    void close_idle();
    std::size_t idle() const noexcept;

private:
    struct parked {
        std::unique_ptr<connection> conn;
        time_source::steady since;
    };
    struct shelf {
        std::deque<parked> idle{};  ///< oldest first
        tls_session session{};
    };
    using timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                             asio::wait_traits<std::chrono::steady_clock>, executor>;
    struct sweeper;
    void sweep();
    void schedule();
    context& shard_;
    const client_options& how_;
    std::map<authority, shelf> shelves_;
    std::shared_ptr<sweeper> sweeper_;
};

}  // namespace firehose::http
