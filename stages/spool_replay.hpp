/// What a spool journal's records, in the order of its files, come to: the index of what is undelivered.
#pragma once
#include "stages/spool_index.hpp"
#include "storage/journal_recovery.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace firehose::stages {

/// Rebuilds an index from records and digests, in any order damage may have left them in. Blocking: it
/// reads what a digest left out when a later mark speaks of it.
class spool_replay {
public:
    explicit spool_replay(const digest_folder& digests) : digests_(digests) {}

    void visit(const storage::recovered_record& record);
    void take(const segment_digest& digest);
    /// A record that was taken for sending and never settled, failed or returned has had one more attempt:
    /// the process died over it.
    void finish();

    /// For recover_journal(): segments with a digest are taken instead of visited, and the others get one.
    /// Refers to this object.
    storage::recovery_hooks hooks();
    /// Goes with the hooks.
    storage::record_visitor visitor();

    spool_index index{};
    failure last_error{};
    std::optional<storage::destination> to{};  ///< of any record
    std::uint64_t foreign = 0;                 ///< intact records that are none of ours

private:
    void put(const storage::recovered_record& record, const spool_record::put_view& put);
    void settle(storage::sequence record, storage::sequence said_at);
    void fail(storage::sequence record, unsigned attempts, time_source::wall next_at,
              const storage::record_location& mark);
    void give_back(storage::sequence record, unsigned attempts);
    void know_destination(bytes_view header);
    void need(storage::sequence record);

    const digest_folder& digests_;
    digest_builder builder_;
    std::map<storage::sequence, unsigned> open_leases_;
    std::set<storage::sequence> settled_early_;  // settled before the record was seen
    std::string last_header_, last_why_;
    std::int64_t modified_ = 0;  // of the segment that is being visited
};

}  // namespace firehose::stages
