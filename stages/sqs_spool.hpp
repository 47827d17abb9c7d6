/// A spool in an SQS queue that many processes on many machines may share; what it cannot take goes to a
/// disk.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/gathered_calls.hpp"
#include "stages/spool_backend.hpp"
#include "stages/sqs_record.hpp"
#include "storage/message_queue.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace firehose::stages {

struct sqs_spool_options {
    std::size_t message_bytes = 1 << 20;        ///< limit of the queue; larger records go to the disk
    std::chrono::seconds visibility{60};        ///< after a process has died its records come back this late
    std::chrono::seconds wait{5};               ///< how long a lease waits for a record when there is none
    std::chrono::milliseconds timeout{20'000};  ///< of one call, repetitions included, beyond that wait
    std::chrono::seconds skip_pause{15};        ///< until a record of a resting destination comes back
    std::chrono::milliseconds outage_pause{10'000};  ///< how long a queue that failed is not sent to
    unsigned looks_per_lease = 10;  ///< receives of nothing but records to pass over, until a lease ends
    unsigned looks_per_pass = 200;  ///< the same with `untouched_since`
};

/// One message is one record (SQS_SPOOL.md has the format). How the calls map:
///
/// - append() sends, with a delay until `next_at` (at most 15 minutes; what shows up early is put back). What
/// is
///   too large for a message, or what the queue does not take because it fails, goes to the disk spool, and
///   the counters spool_too_large_for_queue and spool_kept_on_disk move.
/// - lease() receives: from the disk first, then the queue, for which it waits up to `wait`. A message is
/// seen
///   before its destination is, so records to pass over are received and put back.
/// - settle(): `delivered` deletes the message. `failed` and `released` put the record back: a new
///   message with attempts, schedule and reason in it, then the old one is deleted. That restarts the queue's
///   count of receives and its retention period, so neither moves or deletes a record whose destination is
///   merely down; and a crash in between leaves the record twice, never not at all. `parked` writes the dead
///   letter, then deletes.
///
/// On a FIFO queue, which has no delays, what is passed over and released is given back by its visibility.
///
/// A record's attempts are those written in it and, on a standard queue, one for each receive that ended in
/// nothing: the process was killed. The redrive policy of the queue is its own affair.
///
/// At least once, and with several processes out of order: one record may be delivered twice, under the same
/// key. settle() gives up its lease even when it fails: the record then comes back when its visibility ends.
/// Cancellation reaches the requests; what was asked for then may have happened. Stages shield their calls.
class sqs_spool final : public spool_backend {
public:
    using options = sqs_spool_options;
    struct parts {
        std::shared_ptr<void> beneath{};  ///< what the queues use, destroyed after them; may be null
        std::unique_ptr<storage::message_queue> queue{};
        std::unique_ptr<storage::message_queue> dead_letters{};  ///< null: they stay on the disk
        std::unique_ptr<spool_backend> disk{};
    };

    /// Asks the queue who it is. Fails when it does not exist or may not be used; a queue that cannot be
    /// reached is taken for one that will be.
    static task<result<std::unique_ptr<sqs_spool>>> open(context& x, parts with, options how = options());

    task<result<>> append(std::span<const spool_entry> entries) override;
    task<result<>> park(std::span<const spool_entry> entries) override;
    task<result<std::vector<leased_record>>> lease(const lease_query& which) override;
    task<result<>> settle(lease_id lease, const settlement& what) override;
    task<> hold_leases() override;
    /// The disk's rows, and one for the queue as it last said, by all processes' doings.
    std::vector<backlog> contents() const override;

private:
    /// A message in our hands.
    struct held {
        std::string message_id{};
        std::string receipt{};
        std::string group_id{};
        sqs_record::origin from{};
        spool_header header{};
        slab backing{};
        std::size_t size = 0;
        time_source::steady received{};
        time_source::steady hidden_until{};
    };
    struct put_back {
        held what{};
        std::chrono::seconds delay{0};
    };
    /// Something that changes how many messages there are is under way.
    struct change {
        explicit change(sqs_spool& s) : of(s) {
            ++of.under_way_;
            ++of.changes_;
        }
        change(const change&) = delete;
        ~change() { --of.under_way_; }
        sqs_spool& of;
    };
    /// What one receive brought.
    struct haul {
        std::vector<held> taken{};
        std::vector<put_back> passed_over{};
        std::vector<storage::visibility_change> foreign{};
        std::size_t seen = 0;     ///< in all
        std::size_t touched = 0;  ///< of those passed over: met again in the same pass
    };

    sqs_spool(context& x, parts with, options how);
    time_source::steady deadline() const;
    std::chrono::seconds until(time_source::wall when, std::chrono::seconds most) const;
    task<std::vector<result<std::string>>> send_all(std::vector<storage::outgoing_message> all);
    task<std::vector<result<>>> remove_all(std::vector<std::string> receipts);

    std::optional<storage::outgoing_message> message_of(const storage::message_queue& queue,
                                                        const spool_header& header,
                                                        const sqs_record::origin& from, bytes_view body,
                                                        const std::string& group_id);
    task<result<>> to_disk(std::span<const spool_entry* const> entries, bool dead);
    void note_outage(const error& why);

    task<result<haul>> look(const lease_query& which, unsigned most, std::chrono::seconds wait,
                            std::size_t bytes);
    void sort_out(haul& into, storage::received_message message, const lease_query& which);
    task<> give_back(std::vector<put_back> all);
    task<> refresh_counts();

    task<result<>> delete_message(const held& what);
    task<result<>> send_again(const held& what);
    task<result<>> settle_parked(held what, failure why);
    task<result<>> settle_in_queue(held what, settlement how);

    context& x_;
    parts with_;
    const options how_;
    std::string run_;
    time_source::steady queue_rests_until_{};
    bool outage_ = false;
    std::uint64_t in_queue_ = 0, in_dead_letters_ = 0;
    std::uint64_t under_way_ = 0, changes_ = 0;
    std::size_t typical_body_ = 64 * 1024;
    std::unordered_map<lease_id, held> leases_;
    std::unordered_map<std::string, lease_id> leased_ids_;  // of messages
    lease_id next_lease_ = 1;
    gathered_calls<storage::outgoing_message, result<std::string>> sending_;
    gathered_calls<std::string, result<>> removing_;
};

}  // namespace firehose::stages
