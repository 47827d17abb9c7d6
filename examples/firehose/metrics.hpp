/// The numbers of a running server in Prometheus' text format.
#pragma once
#include "http/server.hpp"
#include "stages/account.hpp"
#include "stages/breaker.hpp"
#include "stages/spool_backend.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::app {

/// Counts by upper bound, from half a millisecond to five minutes.
class latency_histogram {
public:
    static constexpr std::array<double, 18> bounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                   0.5,    1,     2.5,    5,     10,   30,    60,   120, 300};
    void observe(std::chrono::duration<double> what) noexcept;
    void add(const latency_histogram& other) noexcept;
    const std::array<std::uint64_t, bounds.size() + 1>& counts() const noexcept { return counts_; }
    double sum() const noexcept { return sum_; }

private:
    std::array<std::uint64_t, bounds.size() + 1> counts_{};
    double sum_ = 0;
};

/// What requests leave behind: by route and class of status, so that there are only so many series.
class request_metrics {
public:
    void count(const http::request_report& r);
    void add(const request_metrics& other);
    struct totals {
        std::uint64_t requests = 0, received = 0, sent = 0;
    };
    const std::map<std::pair<std::string, std::string>, totals>& rows() const noexcept { return rows_; }
    const std::map<std::string, latency_histogram>& durations() const noexcept { return durations_; }

private:
    std::map<std::pair<std::string, std::string>, totals> rows_;
    std::map<std::string, latency_histogram> durations_;
};

/// What each shard counts for itself.
struct shard_numbers {
    std::map<std::string, std::uint64_t> counters{};
    request_metrics requests{};
    std::uint64_t accepted = 0, refused = 0;  ///< events, by HTTP
    std::size_t connections = 0, running = 0;

    void add(const shard_numbers& other);
};

class destination_metrics;

/// A moment's view; pointers may be null before recovery has ended.
struct metrics_view {
    std::vector<std::string> services{};  ///< rows of their own; all others together are "other"
    const shard_numbers& shards;          ///< of all of them
    const latency_histogram& settled;
    const stages::account* books = nullptr;
    std::vector<stages::backlog> spool{};
    std::vector<std::pair<std::string, stages::breaker::state>> breakers{};  ///< service, one a destination
    std::vector<stages::backlog> spool_at_start{};
    const destination_metrics* destinations = nullptr;
    std::vector<std::pair<std::string, std::chrono::seconds>> expiries{};  ///< of credentials, by id
    std::uint64_t log_begin = 0, log_end = 0, log_delivered = 0, log_bytes = 0, log_overdue_bytes = 0;
    std::uint64_t read_again = 0;
    std::optional<time_source::wall>
        oldest{};  ///< acceptance of the oldest event in the log without a verdict
    time_source::wall now{};
    bool ready = false;
};

/// Label values come from the code and the configuration, never from events, paths or errors.
std::string render_metrics(const metrics_view& v);

}  // namespace firehose::app
