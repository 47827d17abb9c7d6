#include "examples/firehose/destination_metrics.hpp"

#include "examples/firehose/metrics_page.hpp"

#include <algorithm>

namespace firehose::app {
namespace {

constexpr std::array<const char*, 4> state_names{"closed", "open", "half_open", "unusable"};

}  // namespace

void destination_metrics::name(const std::set<storage::destination>& known) {
    std::map<labels, row> now;
    for (const auto& to : known) {
        if (now.size() >= most_) break;
        const auto old = rows_.find(labels_of(to));
        if (now.contains(labels_of(to))) continue;
        now[labels_of(to)] = old == rows_.end() ? row() : old->second;
    }
    for (const auto& [which, one] : rows_) {
        if (now.contains(which)) continue;
        others_.took.add(one.took);
        others_.stored += one.stored;
        others_.failed += one.failed;
    }
    rows_ = std::move(now);
}

destination_metrics::row& destination_metrics::row_of(const storage::destination& to) {
    const auto known = rows_.find(labels_of(to));
    return known == rows_.end() ? others_ : known->second;
}

void destination_metrics::count(const storage::destination& to, std::chrono::duration<double> took,
                                bool stored) {
    auto& mine = row_of(to);
    mine.took.observe(took);
    ++(stored ? mine.stored : mine.failed);
}

void destination_metrics::look(const stages::delivery& at, const std::vector<stages::backlog>& spool) {
    const auto forget = [](row& r) {
        r.states = {};
        r.spooled = r.parked = 0;
        r.oldest.reset();
    };
    forget(others_);
    for (auto& [which, one] : rows_) forget(one);
    for (const auto& [to, lane] : at.lanes()) {
        const auto state = lane->unusable ? 3 : static_cast<std::size_t>(lane->gate.current());
        ++row_of(to).states[state];
    }
    for (const auto& kept : spool) {
        auto& mine = row_of(kept.to);
        mine.spooled += kept.records;
        mine.parked += kept.parked;
        if (kept.oldest) mine.oldest = std::min(mine.oldest.value_or(*kept.oldest), *kept.oldest);
    }
}

void destination_metrics::render(metrics_page& out, time_source::wall now) const {
    using prometheus::MetricType;
    std::vector<std::pair<metrics_page::labels, const row*>> all;
    for (const auto& [which, one] : rows_)
        all.push_back({{{"service", which[0]}, {"bucket", which[1]}, {"prefix", which[2]}}, &one});
    all.push_back({{{"service", "other"}, {"bucket", ""}, {"prefix", ""}}, &others_});
    const auto with = [](metrics_page::labels which, const char* name, const char* value) {
        which.push_back({name, value});
        return which;
    };
    out.start("destination_breaker",
              "Destinations by state of their circuit breaker; unusable: no credential", MetricType::Gauge);
    for (const auto& [which, one] : all)
        for (std::size_t i = 0; i < state_names.size(); ++i)
            out.add(with(which, "state", state_names[i]), as_double(one->states[i]));
    out.start("destination_puts_total", "Requests to store an object by what came of them",
              MetricType::Counter);
    for (const auto& [which, one] : all) {
        out.add(with(which, "result", "stored"), as_double(one->stored));
        out.add(with(which, "result", "failed"), as_double(one->failed));
    }
    out.start("destination_put_seconds", "How long such a request took, whatever came of it",
              MetricType::Histogram);
    for (const auto& [which, one] : all) out.add(which, one->took);
    out.start("destination_spool_records", "Undelivered records in the spool", MetricType::Gauge);
    for (const auto& [which, one] : all) out.add(which, as_double(one->spooled));
    out.start("destination_spool_parked", "Dead letters in the spool", MetricType::Gauge);
    for (const auto& [which, one] : all) out.add(which, as_double(one->parked));
    out.start("destination_oldest_undelivered_seconds", "Age of the oldest undelivered record in the spool",
              MetricType::Gauge);
    for (const auto& [which, one] : all) {
        const auto age = one->oldest ? std::chrono::duration<double>(now - *one->oldest).count() : 0.0;
        out.add(which, std::max(0.0, age));
    }
}

}  // namespace firehose::app
