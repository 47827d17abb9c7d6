/// Numbers by destination, for as many as a page of metrics can bear.
#pragma once
#include "examples/firehose/metrics.hpp"
#include "stages/delivery.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace firehose::app {

class metrics_page;

/// Destinations that the configuration or a saved flow names have rows of their own, the first `most` of them
/// in order; all others, those that only events name among them, are together in one of service "other".
/// Labels are service, bucket and prefix; what differs in its credential alone shares a row. A destination
/// that is no longer named passes what it counted on to "other". Single shard.
class destination_metrics {
public:
    explicit destination_metrics(std::size_t most = 200) : most_(most) {}

    void name(const std::set<storage::destination>& known);
    /// One request to store an object has ended.
    void count(const storage::destination& to, std::chrono::duration<double> took, bool stored);
    /// What is there at the moment.
    void look(const stages::delivery& at, const std::vector<stages::backlog>& spool);

    void render(metrics_page& out, time_source::wall now) const;

private:
    using labels = std::array<std::string, 3>;
    struct row {
        latency_histogram took{};
        std::uint64_t stored = 0, failed = 0;
        std::array<std::uint64_t, 4> states{};  ///< closed, open, half_open, unusable
        std::uint64_t spooled = 0, parked = 0;
        std::optional<time_source::wall> oldest{};
    };
    static labels labels_of(const storage::destination& to) { return {to.service, to.bucket, to.prefix}; }
    row& row_of(const storage::destination& to);

    std::size_t most_;
    std::map<labels, row> rows_{};
    row others_{};
};

}  // namespace firehose::app
