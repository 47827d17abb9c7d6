/// A spool on the local disk: one journal per destination, one more for its dead letters.
#pragma once
#include "pipeline/semaphore.hpp"
#include "pipeline/stage.hpp"
#include "stages/spool_backend.hpp"
#include "storage/file_system.hpp"
#include "storage/journal.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace firehose::stages {

class spool_journal;
struct spool_filter;

/// What retry() or purge() did.
struct repair_counts {
    std::uint64_t waiting = 0;
    std::uint64_t parked = 0;
    std::uint64_t bytes = 0;       ///< of the bodies
    std::uint64_t unreadable = 0;  ///< left as they are
};

struct directory_spool_options {
    std::uint64_t segment_bytes = 32u << 20;  ///< a file is unlinked when everything in it is delivered
    std::uint32_t max_record = 64u << 20;     ///< header and body; longer ones are refused
    /// Finished files of this size get a digest beside them, so that a start need not read them.
    std::uint64_t digest_from_bytes = 1u << 20;
    /// Files of one destination in all, from which on records that hold old ones are written anew.
    std::uint64_t compact_from_bytes = 64u << 20;
};

/// Files lie under `<data_dir>/spool/<storage::directory_name(destination)>/`: the journal's segments,
/// `destination.json` for a person who looks, `parked/` with a journal of the dead letters, `index/` with
/// digests of the segments, `drain.json` with the current rate, and `quarantine/` with bytes that were
/// found damaged. The segments are the only truth (storage/JOURNAL.md); all else may be deleted.
///
/// A body that lies in a file is kept as one, in `bodies/` (stages/spool_bodies.hpp): hard links, so nothing
/// is copied where data_dir is one file system.
///
/// Leases live in memory: what was leased when the process ended is delivered again, under the same key.
/// Each lease is noted in the journal before the record is handed out, with a write that survives the
/// process but is not waited for on the disk, so a record that brings the process down counts one more
/// attempt each time. Records in flight when the process is killed count one as well.
///
/// One process owns the directory. All file calls run on the context's blocking pool. Memory: about 150 bytes
/// per finished file with nothing but untried records, 48 bytes for each other undelivered record, and the
/// bodies of one lease. A record whose bytes cannot be read any more is counted
/// (spool_unreadable_records), left where it is and not leased again by this process.
class directory_spool final : public spool_backend {
public:
    using options = directory_spool_options;

    /// Takes `<data_dir>/spool`, made with mode 0700 if missing, and recovers what is in it. Fails when
    /// others can write to it, when another process has it, or when the system refuses; never for what a file
    /// holds.
    static task<result<std::unique_ptr<directory_spool>>>
    open(context& x, storage::file_system& fs, std::filesystem::path data_dir, options how = options());
    ~directory_spool() override;

    task<result<>> append(std::span<const spool_entry> entries) override;
    task<result<>> park(std::span<const spool_entry> entries) override;
    task<result<std::vector<leased_record>>> lease(const lease_query& which) override;
    task<result<>> settle(lease_id lease, const settlement& what) override;
    std::vector<backlog> contents() const override;

    /// Makes records due now, and dead letters records again, with their history and no attempts. In steps:
    /// what was done before an error stays done. Not while anything is leased.
    task<result<repair_counts>> retry(const spool_filter& which);
    /// Throws records away for good, in steps likewise.
    task<result<repair_counts>> purge(const spool_filter& which);

private:
    struct queue;
    struct selection;
    struct taken {
        queue* from = nullptr;
        storage::sequence record = 0;
        time_source::wall touched_before{};
        unsigned attempts = 0;
        std::uint32_t body = 0;  ///< bytes
        std::string file{};      ///< of its body, where that is no part of the record
        std::vector<attempt_note> history{};
    };
    struct placed;
    /// Records that must be filled in before anybody knows which are due.
    struct unknown {
        queue* from = nullptr;
        storage::journal_format::segment_name segment{};
    };

    directory_spool(context& x, storage::file_system& fs, std::filesystem::path root, options how);
    task<result<>> recover();
    task<result<>> recover_queue(std::filesystem::path directory);
    queue& queue_for(const storage::destination& to);
    task<result<>> ensure_open(queue& q, spool_journal& log);
    task<result<>> append_to(spool_journal queue::* which, std::span<const spool_entry> entries);
    task<> undo(std::vector<placed> done);
    std::optional<unknown> choose(const lease_query& which, std::vector<taken>& picks);
    static std::size_t count_from(const std::vector<taken>& picks, const queue* from);
    task<result<std::vector<leased_record>>> take(std::vector<taken> picks);
    task<result<>> settle_delivered(taken what);
    task<result<>> settle_failed(taken what, failed how);
    task<result<>> settle_parked(taken what, failure why);
    task<result<>> settle_released(taken what);
    task<result<>> bring_back(queue& q, const spool_filter& which, repair_counts& total);
    task<result<>> reschedule(queue& q, const spool_filter& which, repair_counts& total);

    context& x_;
    storage::file_system& fs_;
    const std::filesystem::path root_;
    const options options_;
    std::unique_ptr<storage::file> lock_;
    semaphore opening_;  // one journal is opened at a time
    std::map<storage::destination, std::unique_ptr<queue>> queues_;
    storage::destination turn_{};  // where the next lease begins
    std::unordered_map<lease_id, taken> leases_;
    lease_id next_lease_ = 1;
};

}  // namespace firehose::stages
