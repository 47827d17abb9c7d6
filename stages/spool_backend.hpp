/// The seam between delivery and what keeps undelivered events: append, lease, settle, park.
#pragma once
#include "pipeline/bytes.hpp"
#include "pipeline/error.hpp"
#include "pipeline/task.hpp"
#include "pipeline/time_source.hpp"
#include "stages/event.hpp"
#include "storage/body_file.hpp"
#include "storage/destination.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace firehose::stages {

/// Why the last attempt failed, in a form that can be stored and shown. Never holds a secret.
struct failure {
    std::string disposition{};  ///< "retry", "slow_down", "park", "stop"
    std::string code{};         ///< the provider's code, or the system's error name; may be empty
    int status = 0;             ///< HTTP status, 0 when there was no answer
    std::string message{};      ///< for a person
};

failure describe_failure(const error& e);

/// One attempt that failed, as its record remembers it.
struct attempt_note {
    time_source::wall at{};
    unsigned attempt = 0;  ///< of those out of the spool; 0: before it came there
    failure why{};         ///< the message cut to history_message bytes
};

/// Everything about one undelivered (event, destination) pair but its body. Unique on (key, to).
struct spool_header {
    std::string event_id{};
    std::string group_id{};
    std::string flow_id{};
    storage::destination to{};
    std::string layout = "event";    ///< or "batch": the body is an object that holds many events
    std::string content_encoding{};  ///< of the body; empty: none
    std::uint64_t events = 1;        ///< in the body
    std::string file{};  ///< where the spool keeps a large body, its own business; empty: in the record
    std::string key{};   ///< of the object, prefix included; empty when none could be made (parked)
    unsigned attempts = 0;
    time_source::wall first_failed_at{};
    time_source::wall next_at{};  ///< not before this instant
    failure last_error{};
    /// In order, history_limit at most: see remember(). What is appended may leave it to first_failure().
    std::vector<attempt_note> history{};
};

/// The history of a record that has failed once, before it came to the spool.
std::vector<attempt_note> first_failure(const spool_header& header);

inline constexpr std::size_t history_limit = 8;
inline constexpr std::size_t history_message = 200;

/// Adds an attempt to a history; beyond history_limit the first stays and the oldest of the others goes.
void remember(std::vector<attempt_note>& history, attempt_note note);

/// What append() is given. `body` is only read during the call.
struct spool_entry {
    spool_header header{};
    bytes_view body{};
    /// A body that lies in a file: the spool keeps that too, and `body` is its fingerprint().
    std::shared_ptr<const storage::body_file> file{};
};

/// Names a record while it is taken for sending.
using lease_id = std::uint64_t;

/// Identity of a taken record, as it travels with its event.
struct spooled_record {
    lease_id lease = 0;
    spool_header header{};
    /// True for what was in the spool before this process opened it.
    bool from_earlier_run = false;
};

/// A record taken for sending. `body` lives in `backing`.
struct leased_record {
    lease_id lease = 0;
    spool_header header{};
    bytes_view body{};
    slab backing{};
    std::shared_ptr<const storage::body_file> file{};  ///< as in spool_entry
    bool from_earlier_run = false;

    std::uint64_t body_bytes() const noexcept { return file ? file->size() : body.size(); }
};

/// Which records to take. Records that are leased already are never taken.
struct lease_query {
    std::size_t max_records = 64;
    std::size_t max_bytes = 4 << 20;  ///< at least one record is taken if any is due
    time_source::wall due_before =
        time_source::wall::max();  ///< only records whose next_at is not after this
    /// Records that were appended or leased at or after this instant are left alone, so that one pass
    /// over a spool tries each record once.
    time_source::wall untouched_since = time_source::wall::max();
    /// True for destinations to pass over (breaker open). May be empty. A backend that cannot see
    /// the destination before it takes a record ignores this.
    std::function<bool(const storage::destination&)> skip{};
    /// Of one destination in this lease. A backend that cannot see the destination ignores this.
    std::size_t max_of_one = std::numeric_limits<std::size_t>::max();
    /// The newest records of a destination first. A backend without an order ignores this.
    bool newest_first = false;
};

/// What became of a leased record.
struct delivered {};
struct failed {
    unsigned attempts = 0;
    time_source::wall next_at{};
    failure why{};
};  ///< stays, with a new schedule
struct parked {
    failure why{};
};  ///< moves to the dead letters: body, reason and history kept
struct released {};  ///< nothing was tried: as if it had not been leased
using settlement = std::variant<delivered, failed, parked, released>;

/// One destination's share of a spool.
struct backlog {
    storage::destination to{};
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  ///< of the bodies
    std::uint64_t parked = 0;
    std::optional<time_source::wall> oldest{};   ///< first_failed_at of the oldest record
    std::optional<time_source::wall> next_at{};  ///< earliest next attempt
    failure last_error{};
    /// Not one destination's share: everything in a queue that several processes may use, which tells
    /// how many records it has and no more. `to` then names the queue.
    bool whole_queue = false;
    /// Records a second that leave this destination's spool at the moment; 0: none, or nobody knows.
    double drain_rate = 0;

    /// How long the records will take at that rate, to the second.
    std::optional<std::chrono::seconds> eta() const;
};

/// Single shard; outlives its running calls. Appending and settling may run concurrently.
class spool_backend {
public:
    virtual ~spool_backend() = default;

    /// All entries or none: success means every one survives a power cut. Entries may be of several
    /// destinations. Not interrupted by cancellation once the write has begun.
    virtual task<result<>> append(std::span<const spool_entry> entries) = 0;

    /// As append(), into the dead letters: kept until somebody retries or purges them.
    virtual task<result<>> park(std::span<const spool_entry> entries) = 0;

    /// Up to max_records, oldest first within a destination, destinations in turn. Empty: nothing is due.
    virtual task<result<std::vector<leased_record>>> lease(const lease_query& which) = 0;

    /// Durable when it returns success; a failure leaves the record leased until the process ends, after
    /// which it is delivered again under the same key.
    virtual task<result<>> settle(lease_id lease, const settlement& what) = 0;

    /// Runs beside the deliveries of leased records, until cancelled: what a backend must do on its own so
    /// that they stay leased. Returns at once where nothing has to be done.
    virtual task<> hold_leases();

    /// One row per destination that has records or dead letters, in destination order.
    virtual std::vector<backlog> contents() const = 0;
};

}  // namespace firehose::stages
