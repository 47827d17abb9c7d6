/// One journal of a spool with the index of what is undelivered in it: the records of one destination,
/// or its dead letters.
#pragma once
#include "pipeline/semaphore.hpp"
#include "stages/spool_bodies.hpp"
#include "stages/spool_digest.hpp"
#include "stages/spool_index.hpp"
#include "stages/spool_record.hpp"
#include "stages/spool_repeats.hpp"
#include "storage/journal.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace firehose::stages {

struct spool_journal_limits {
    std::uint64_t digest_from_bytes = 1u << 20;    ///< finished segments of this size get a digest
    std::uint64_t compact_from_bytes = 64u << 20;  ///< of all segments; below, nothing is moved
    std::uint64_t compact_step_bytes = 4u << 20;   ///< moved at once, at most
};

/// A record with its new schedule, and what it remembers of all its attempts.
struct failed_record {
    storage::sequence record = 0;
    failed what{};
    std::vector<attempt_note> history{};
};

/// Single shard; outlives its running calls. Opened before anything else is called.
class spool_journal {
public:
    spool_journal(context& x, storage::file_system& fs, std::filesystem::path directory,
                  storage::journal_options options, spool_journal_limits limits)
        : x_(x),
          fs_(fs),
          directory_(std::move(directory)),
          options_(options),
          limits_(limits),
          bodies_(fs, directory_),
          with_bodies_(x.ex, 1),
          digests_(fs, directory_, options.max_payload, limits.digest_from_bytes, digest_folder::use::own) {}

    /// Makes or recovers it.
    task<result<>> open();
    bool is_open() const noexcept { return log_ != nullptr; }

    struct appended {
        std::vector<storage::sequence> written{};
        std::vector<storage::sequence> adopted{};  ///< were there, with the same key and the same body
        std::vector<std::string> files{};          ///< of those written
    };
    /// All or none. An entry that is there since before this process is not written again; its record counts
    /// as this run's from now on.
    task<result<appended>> append(std::vector<const spool_entry*> entries);
    /// Takes an append back. If that fails too, a restart delivers it: a repeat, never a loss.
    task<> undo(appended what);
    /// Finishes records, durably, and removes or rewrites what is not needed any more: `files` are theirs.
    task<result<>> settle(std::vector<storage::sequence> records, std::vector<std::string> files = {});
    /// All or none.
    task<result<>> fail(std::vector<failed_record> all);
    /// Notes that records are about to be tried or were not; survives the process, perhaps not a power cut.
    task<> note_attempts(std::uint16_t kind, std::vector<spool_record::attempt> all);
    /// One answer each: header up to date, body in `backing`, lease 0.
    task<std::vector<result<leased_record>>> read(std::vector<storage::sequence> records);
    /// Unlinks the oldest segments in which nothing is undelivered.
    task<> trim();
    /// A record turned out to be damaged: the next start reads its segment again, whatever the digest says.
    task<> distrust(storage::sequence record);
    /// Fills in what the index knows only the summary of.
    task<> fill(storage::journal_format::segment_name segment);

    spool_index& index() noexcept { return index_; }
    const spool_index& index() const noexcept { return index_; }
    /// Of all bodies, those in files included.
    std::uint64_t body_bytes() const noexcept { return index_.bytes() + bodies_.bytes(); }
    const failure& last_error() const noexcept { return last_error_; }
    const std::optional<storage::destination>& found_destination() const noexcept { return to_; }

private:
    struct new_record {
        storage::journal_input input{};
        const spool_header* header = nullptr;
        spool_index::origin since = spool_index::origin::this_run;
        time_source::wall touched{};
    };

    task<result<std::vector<storage::sequence>>> write(std::vector<new_record> records);
    task<result<std::vector<std::string>>> keep_files(const std::vector<const spool_entry*>& entries);
    task<> drop_files(std::vector<std::string> names);
    task<> finish_segments();
    task<std::vector<storage::sequence>> find_repeats(std::vector<const spool_entry*>& entries);
    task<bool> holds(storage::sequence record, const spool_entry& entry);
    std::vector<storage::sequence> worth_moving() const;
    task<> compact();
    task<> move(std::vector<storage::sequence> old);
    result<leased_record> to_leased(storage::sequence record, const spool_index::found& about,
                                    result<storage::journal_record>& body,
                                    const result<storage::journal_record>* mark) const;
    error unreadable(const std::string& why) const;
    storage::sequence keep_from() const;

    context& x_;
    storage::file_system& fs_;
    std::filesystem::path directory_;
    storage::journal_options options_;
    spool_journal_limits limits_;
    spool_bodies bodies_;
    semaphore with_bodies_;    // one call at a time
    std::size_t keeping_ = 0;  // appends whose files have no records yet
    digest_folder digests_;
    std::unique_ptr<storage::journal> log_;
    spool_index index_;
    spool_repeats repeats_;
    failure last_error_;
    std::optional<storage::destination> to_;
    std::size_t sealed_ = 0;  // of the oldest segments, so many have had their chance of a digest
    bool finishing_ = false, compacting_ = false;
    // What an append() that is not in the index yet may have been given: never removed before it is.
    std::multiset<storage::sequence> appending_from_;
};

}  // namespace firehose::stages
