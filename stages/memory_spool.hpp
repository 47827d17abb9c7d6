/// A spool that lives in memory: for tests of your own stages and pipelines, and for what may be lost.
#pragma once
#include "stages/spool_backend.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace firehose::stages {

/// Behaves like directory_spool, but nothing survives the object. Single shard. No call suspends, so none
/// can be cancelled half-way. `time` outlives it.
///
///     memory_spool spool(x.time);
///     spool.fail_appends_with(error(disposition::retry, "the disk is full"));  // what does my stage do?
class memory_spool final : public spool_backend {
public:
    /// A record with its body, for inspection.
    struct entry {
        spool_header header{};
        std::string body{};
        std::shared_ptr<const storage::body_file> file{};
    };

    explicit memory_spool(const time_source& time) : time_(time) {}

    task<result<>> append(std::span<const spool_entry> entries) override;
    task<result<>> park(std::span<const spool_entry> entries) override;
    task<result<std::vector<leased_record>>> lease(const lease_query& which) override;
    task<result<>> settle(lease_id lease, const settlement& what) override;
    std::vector<backlog> contents() const override;

    /// Undelivered records, oldest first within a destination, destinations in order.
    std::vector<entry> records() const;
    std::vector<entry> dead_letters() const;
    std::size_t leased() const noexcept { return leases_.size(); }

    /// From now on append() and park() answer with this error and keep nothing; nullopt: they work again.
    void fail_appends_with(std::optional<error> e) { append_error_ = std::move(e); }
    /// The same for settle(); the record stays leased.
    void fail_settles_with(std::optional<error> e) { settle_error_ = std::move(e); }

private:
    struct record {
        entry what{};
        slab body{};
        time_source::wall touched{};
        bool leased = false;
    };
    struct queue {
        std::map<std::uint64_t, record> records{};
        std::vector<entry> parked{};
        failure last_error{};
    };
    struct held {
        storage::destination to{};
        std::uint64_t number = 0;
        time_source::wall touched_before{};
    };
    static bool is_due(const record& r, const lease_query& which);
    static std::optional<std::uint64_t> next_due(const queue& q, const lease_query& which);
    void note(spool_header& header, unsigned attempt, const failure& why) const;

    const time_source& time_;
    std::map<storage::destination, queue> queues_;
    std::map<lease_id, held> leases_;
    storage::destination turn_{};
    std::uint64_t next_record_ = 1;
    lease_id next_lease_ = 1;
    std::optional<error> append_error_, settle_error_;
};

}  // namespace firehose::stages
