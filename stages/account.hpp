/// The books: what became of every accepted event, per service, at every moment.
#pragma once
#include "pipeline/time_source.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::stages {

/// accepted == delivered + spooled + parked + lost + in_flight, at every moment.
struct target_account {
    std::uint64_t accepted = 0;  ///< events that want this service
    std::uint64_t delivered = 0;
    std::uint64_t spooled = 0;
    std::uint64_t parked = 0;
    std::uint64_t lost = 0;  ///< neither delivered nor kept: the source must send them again
    std::uint64_t in_flight = 0;
    std::uint64_t spooled_records = 0;  ///< what `spooled` is in the spool: a record may hold many events
    std::optional<time_source::steady> last_delivered{};

    void add(const target_account& other);
    bool balances() const noexcept { return accepted == delivered + spooled + parked + lost + in_flight; }
};

/// What was in the spool before this run: found == delivered + parked + what is still spooled.
struct backlog_account {
    std::uint64_t delivered = 0;
    std::uint64_t parked = 0;
};

/// Where an accepted event is with one of its targets.
enum class standing : std::uint8_t { in_flight, delivered, spooled, parked, lost };

/// One shard's books; shared by the stages of a pipeline, which outlives them.
class account {
public:
    void accept() noexcept { ++accepted_; }
    void refuse() noexcept { ++refused_; }

    /// One more event wants `service`, or as many as one object holds; in flight.
    void want(std::string_view service, std::uint64_t events = 1);
    /// The place of an event, or of all events of one object, changes.
    void move(std::string_view service, standing from, standing to, time_source::steady now,
              std::uint64_t events = 1);
    void backlog_delivered(std::string_view service) { ++backlog_row(service).delivered; }
    void backlog_parked(std::string_view service) { ++backlog_row(service).parked; }

    std::uint64_t accepted() const noexcept { return accepted_; }
    std::uint64_t refused() const noexcept { return refused_; }
    const std::map<std::string, target_account, std::less<>>& targets() const noexcept { return targets_; }
    const std::map<std::string, backlog_account, std::less<>>& backlog() const noexcept { return backlog_; }
    /// Adds another shard's books.
    void add(const account& other);

    std::uint64_t lost() const noexcept;
    /// True when every target's row balances and nothing is in flight.
    bool closed() const noexcept;

private:
    target_account& row(std::string_view service);
    backlog_account& backlog_row(std::string_view service);

    std::uint64_t accepted_ = 0;
    std::uint64_t refused_ = 0;
    std::map<std::string, target_account, std::less<>> targets_;
    std::map<std::string, backlog_account, std::less<>> backlog_;
};

}  // namespace firehose::stages
