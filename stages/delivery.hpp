/// What all upload stages of a shard share: one lane per destination, the spool, the books.
#pragma once
#include "http/retry_budget.hpp"
#include "pipeline/semaphore.hpp"
#include "pipeline/stage.hpp"
#include "stages/account.hpp"
#include "stages/breaker.hpp"
#include "stages/spool_backend.hpp"
#include "storage/registry.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace firehose::stages {

struct delivery_options {
    std::size_t in_flight = 64;              ///< requests at once to one destination
    std::size_t queue_bytes = 4 << 20;       ///< waiting for one destination, in memory
    unsigned attempts = 3;                   ///< in the request path; later ones come from the spool
    std::chrono::milliseconds backoff{100};  ///< ceiling before the second attempt; doubles
    std::chrono::milliseconds backoff_cap{20'000};
    std::chrono::milliseconds timeout{60'000};  ///< of one attempt, whatever the transport allows
    breaker::options gate{};
    std::chrono::milliseconds spool_backoff{
        1'000};  ///< ceiling before the first attempt out of the spool; doubles
    std::chrono::milliseconds spool_backoff_cap{900'000};
    /// What is on its way to the spool waits this long for more to share its write, unless that many bytes
    /// wait. Twice as many make the source wait: more in one write is slower, since the processor's caches
    /// are small.
    std::chrono::milliseconds spool_gather{1};
    std::size_t spool_gather_bytes = 256 << 10;
    unsigned park_after_attempts = 0;  ///< attempts out of the spool before a record is parked; 0: never
};

/// One destination: its store, its breaker, its permits. Failures of one never touch another.
struct lane {
    lane(storage::destination where, const delivery_options& how, const storage::part_settings& in_parts,
         context& x)
        : to(std::move(where)),
          gate(how.gate, [&random = x.random] { return random.uniform(); }),
          permits(x.ex, how.in_flight),
          large_bodies(x.ex, few_at_once),
          ahead(x.ex, few_at_once),
          parts_in_memory(x.ex, std::max(1U, in_parts.in_flight)),
          parts(in_parts),
          gate_changed(x.ex) {}

    storage::destination to;
    std::shared_ptr<storage::store> store{};  ///< a running attempt shares it: it may be renewed meanwhile
    std::optional<error> unusable{};          ///< why there is no store
    breaker gate;
    http::retry_budget retries{};  ///< second and later attempts of live events
    semaphore permits;
    /// Bodies that lie in files, each sent in several parts at a time: few at once, so that one ends before
    /// the next begins and none waits long for its next answer.
    static constexpr std::size_t few_at_once = 2;
    semaphore large_bodies;
    semaphore ahead;            ///< parts of growing objects, which come last
    semaphore parts_in_memory;  ///< of all of those together
    storage::part_settings parts;
    wait_queue gate_changed;
    std::size_t queued_bytes = 0;     ///< waiting in memory for a permit
    std::optional<error> overflow{};  ///< why new events go to the spool until half the queue is free
    std::uint64_t last_wanted = 0;    ///< number of the batch that last brought an event
};

/// Single shard. Outlives the upload stages that use it. Lanes appear when an event names their
/// destination and go away when nobody uses them and there are many.
class delivery {
public:
    struct parts {
        const storage::registry& stores;
        const storage::credential_map& credentials;
        storage::store_environment environment;
        spool_backend& spool;
        std::shared_ptr<account> books;
    };

    delivery(context& x, parts with, delivery_options how);

    std::shared_ptr<lane> lane_of(const storage::destination& to);
    /// The credential of that id is another one now, there again or gone: its destinations get a new store,
    /// or none, and what was stopped is tried at once. Running attempts end with the old one.
    void credential_changed(std::string_view id);
    /// What is wrong with a destination, asked of its kind of store; empty when nothing is.
    std::string check(const storage::destination& to) const;

    /// True while the breaker is open and no probe is due.
    bool refuses(const storage::destination& to) const;
    /// Refuses, or waits for the result of a probe: no time to take more out of the spool.
    bool rests(const storage::destination& to) const;
    /// Lets one probe through to every destination whose breaker is open.
    void probe_all();

    /// True when another destination that current batches ask for has little left to do: then a full one
    /// must not hold up the batch, and its events go to the spool. A destination that is only somewhat
    /// slower than the others makes them wait, but never idle.
    bool others_run_dry(const lane& full) const;
    bool has_room(const lane& l, std::size_t bytes) const;
    /// Counts a batch; the number tells which destinations current batches ask for.
    std::uint64_t next_batch() noexcept { return ++batches_; }
    wait_queue& room_changed() noexcept { return room_changed_; }

    /// Told of every attempt to store an object that had an answer: how long it took, and what came of it.
    using put_watcher =
        std::function<void(const storage::destination& to, std::chrono::duration<double> took, bool stored)>;
    void watch_puts(put_watcher by) { watcher_ = std::move(by); }
    void put_ended(const storage::destination& to, std::chrono::duration<double> took, bool stored) const {
        if (watcher_) watcher_(to, took, stored);
    }

    /// Those that are known at the moment; for those who look.
    const std::map<storage::destination, std::shared_ptr<lane>>& lanes() const noexcept { return lanes_; }
    context& shard() noexcept { return x_; }
    spool_backend& spool() noexcept { return with_.spool; }
    account& books() noexcept { return *with_.books; }
    const delivery_options& options() const noexcept { return how_; }

private:
    const storage::credential* credential_of(const storage::destination& to) const;
    void make_store(lane& of);
    void forget_idle_lanes();

    context& x_;
    parts with_;
    delivery_options how_;
    std::map<storage::destination, std::shared_ptr<lane>> lanes_;
    put_watcher watcher_{};
    std::uint64_t batches_ = 0;
    wait_queue room_changed_;
};

/// What is wrong with a destination: unknown type, missing credential, or what its kind of store says.
std::string check_destination(const storage::registry& stores, const storage::credential_map& credentials,
                              const storage::destination& to);

}  // namespace firehose::stages
