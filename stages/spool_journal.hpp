/// One journal of a spool with the index of what is undelivered in it: the records of one destination,
/// or its dead letters.
#pragma once
#include "stages/spool_index.hpp"
#include "stages/spool_record.hpp"
#include "storage/journal.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace firehose::stages {

/// Rebuilds an index from the journal's records, in any order damage may have left them in.
class spool_replay {
public:
    void visit(const storage::recovered_record& record);
    /// A record that was taken for sending and never settled, failed or returned has had one more attempt:
    /// the process died over it.
    void finish();

    spool_index index{};
    failure last_error{};
    std::optional<storage::destination> to{};  ///< of any record
    std::uint64_t foreign = 0;                 ///< intact records that are none of ours

private:
    std::map<storage::sequence, unsigned> open_leases_;
    std::set<storage::sequence> settled_early_;  // settled before the record was seen
    std::string last_header_, last_why_;
};

/// Single shard; outlives its running calls. Opened before anything else is called.
class spool_journal {
public:
    spool_journal(context& x, storage::file_system& fs, std::filesystem::path directory,
                  storage::journal_options options)
        : x_(x), fs_(fs), directory_(std::move(directory)), options_(options) {}

    /// Makes or recovers it.
    task<result<>> open();
    bool is_open() const noexcept { return log_ != nullptr; }

    /// All or none. Returns their sequences.
    task<result<std::vector<storage::sequence>>> append(std::vector<const spool_entry*> entries);
    /// Finishes records, durably, and removes what is not needed any more.
    task<result<>> settle(std::vector<storage::sequence> records);
    task<result<>> fail(storage::sequence record, failed what);
    /// Notes that records are about to be tried or were not; survives the process, perhaps not a power cut.
    task<> note_attempts(std::uint16_t kind, std::vector<spool_record::attempt> all);
    /// One answer each: header up to date, body in `backing`, lease 0.
    task<std::vector<result<leased_record>>> read(std::vector<storage::sequence> records);
    /// Unlinks the oldest segments in which nothing is undelivered.
    task<> trim();

    spool_index& index() noexcept { return index_; }
    const spool_index& index() const noexcept { return index_; }
    const failure& last_error() const noexcept { return last_error_; }
    const std::optional<storage::destination>& found_destination() const noexcept { return to_; }

private:
    result<leased_record> to_leased(storage::sequence record, const spool_index::found& about,
                                    result<storage::journal_record>& body,
                                    const result<storage::journal_record>* mark) const;
    storage::sequence keep_from() const;

    context& x_;
    storage::file_system& fs_;
    std::filesystem::path directory_;
    storage::journal_options options_;
    std::unique_ptr<storage::journal> log_;
    spool_index index_;
    failure last_error_;
    std::optional<storage::destination> to_;
    storage::sequence first_of_this_run_ = 0;
    // What an append() that is not in the index yet may have been given: never removed before it is.
    std::multiset<storage::sequence> appending_from_;
};

}  // namespace firehose::stages
