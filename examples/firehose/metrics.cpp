#include "examples/firehose/metrics.hpp"

#include "examples/firehose/destination_metrics.hpp"
#include "examples/firehose/metrics_page.hpp"
#include "stages/conservation.hpp"

#include <algorithm>

namespace firehose::app {
namespace {

using prometheus::MetricType;
using page = metrics_page;

struct service_row {
    stages::target_account books{};
    std::uint64_t spooled = 0, spooled_bytes = 0, parked = 0;
    std::array<std::uint64_t, 3> breakers{};
};

std::map<std::string, service_row> by_service(const metrics_view& v) {
    std::map<std::string, service_row> rows;
    for (const auto& name : v.services) rows[name];
    const auto row = [&](const std::string& name) -> service_row& {
        const auto known = rows.find(name);
        return known != rows.end() ? known->second : rows["other"];
    };
    if (v.books != nullptr)
        for (const auto& [name, account] : v.books->targets()) row(name).books.add(account);
    for (const auto& kept : v.spool) {
        auto& to = row(kept.to.service);
        to.spooled += kept.records;
        to.spooled_bytes += kept.bytes;
        to.parked += kept.parked;
    }
    for (const auto& [name, state] : v.breakers) ++row(name).breakers[static_cast<std::size_t>(state)];
    return rows;
}

void add_services(page& out, const metrics_view& v) {
    const auto rows = by_service(v);
    out.start("events", "Events by service and what became of them; wanted is the sum of the others",
              MetricType::Counter);
    for (const auto& [name, row] : rows) {
        const auto& b = row.books;
        out.add({{"service", name}, {"state", "wanted"}}, as_double(b.accepted));
        out.add({{"service", name}, {"state", "delivered"}}, as_double(b.delivered));
        out.add({{"service", name}, {"state", "spooled"}}, as_double(b.spooled));
        out.add({{"service", name}, {"state", "parked"}}, as_double(b.parked));
        out.add({{"service", name}, {"state", "read_again"}}, as_double(b.lost));
    }
    out.start("events_in_flight", "Events under way by service", MetricType::Gauge);
    for (const auto& [name, row] : rows) out.add({{"service", name}}, as_double(row.books.in_flight));
    out.start("spool_records", "Undelivered records in the spool", MetricType::Gauge);
    for (const auto& [name, row] : rows) out.add({{"service", name}}, as_double(row.spooled));
    out.start("spool_bytes", "Bytes of undelivered bodies in the spool", MetricType::Gauge);
    for (const auto& [name, row] : rows) out.add({{"service", name}}, as_double(row.spooled_bytes));
    out.start("spool_parked", "Dead letters in the spool", MetricType::Gauge);
    for (const auto& [name, row] : rows) out.add({{"service", name}}, as_double(row.parked));
    out.start("breakers", "Destinations by the state of their circuit breaker", MetricType::Gauge);
    for (const auto& [name, row] : rows) {
        out.add({{"service", name}, {"state", "closed"}}, as_double(row.breakers[0]));
        out.add({{"service", name}, {"state", "open"}}, as_double(row.breakers[1]));
        out.add({{"service", name}, {"state", "half_open"}}, as_double(row.breakers[2]));
    }
}

/// The terms as stages/conservation.hpp has them, so that anybody can add them up.
void add_conservation(page& out, const metrics_view& v) {
    std::map<std::string, stages::conservation> sums;
    std::map<std::string, std::uint64_t> had;
    for (const auto& name : v.services) sums[name];
    const auto name_of = [&](const std::string& service) {
        return sums.contains(service) ? service : std::string("other");
    };
    for (const auto& [service, one] : stages::take_stock(*v.books, v.spool)) {
        auto& to = sums[name_of(service)];
        to.books.accepted += one.books.accepted;
        to.books.delivered += one.books.delivered;
        to.books.spooled += one.books.spooled;
        to.books.parked += one.books.parked;
        to.books.lost += one.books.lost;
        to.books.in_flight += one.books.in_flight;
        to.books.spooled_records += one.books.spooled_records;
        to.backlog.delivered += one.backlog.delivered;
        to.backlog.parked += one.backlog.parked;
        to.in_spool += one.in_spool;
        to.dead += one.dead;
    }
    for (const auto& one : v.spool_at_start) had[name_of(one.to.service)] += one.records;
    out.start(
        "conservation",
        "accepted = delivered + spooled + parked + read_again + in_flight, and spool = spooled_records + "
        "found_at_start - backlog_delivered - backlog_parked",
        MetricType::Gauge);
    for (const auto& [name, one] : sums) {
        const std::array<std::pair<const char*, std::uint64_t>, 12> terms{{
            {"accepted", one.books.accepted},
            {"delivered", one.books.delivered},
            {"spooled", one.books.spooled},
            {"parked", one.books.parked},
            {"read_again", one.books.lost},
            {"in_flight", one.books.in_flight},
            {"spooled_records", one.books.spooled_records},
            {"found_at_start", had[name]},
            {"backlog_delivered", one.backlog.delivered},
            {"backlog_parked", one.backlog.parked},
            {"spool", one.in_spool},
            {"dead_letters", one.dead},
        }};
        for (const auto& [term, value] : terms)
            out.add({{"service", name}, {"term", term}}, as_double(value));
    }
    out.start("conservation_difference",
              "books: events accepted and accounted for nowhere, 0 unless something is wrong; spool: records "
              "beyond those the books say, below 0 for events that were there before",
              MetricType::Gauge);
    for (const auto& [name, one] : sums) {
        const auto& b = one.books;
        const double books =
            as_double(b.accepted) - as_double(b.delivered + b.spooled + b.parked + b.lost + b.in_flight);
        const double spool = as_double(one.in_spool + one.backlog.delivered + one.backlog.parked) -
                             as_double(b.spooled_records + had[name]);
        out.add({{"service", name}, {"of", "books"}}, books);
        out.add({{"service", name}, {"of", "spool"}}, spool);
    }
}

void add_credentials(page& out, const metrics_view& v) {
    out.start("credential_expires_seconds",
              "Until what a renewed credential gave out expires; below 0: it has, and could not be renewed",
              MetricType::Gauge);
    for (const auto& [id, left] : v.expiries)
        out.add({{"credential", id}}, std::chrono::duration<double>(left).count());
}

void add_requests(page& out, const metrics_view& v) {
    out.start("http_requests_total", "Requests by route and class of status", MetricType::Counter);
    for (const auto& [key, row] : v.shards.requests.rows())
        out.add({{"route", key.first}, {"status", key.second}}, as_double(row.requests));
    out.start("http_received_bytes_total", "Bytes of request bodies on the wire", MetricType::Counter);
    for (const auto& [key, row] : v.shards.requests.rows())
        out.add({{"route", key.first}, {"status", key.second}}, as_double(row.received));
    out.start("http_request_seconds", "From a request's head to the end of its answer",
              MetricType::Histogram);
    for (const auto& [route, h] : v.shards.requests.durations()) out.add({{"route", route}}, h);
    out.gauge("http_connections", "Open connections", as_double(v.shards.connections));
    out.gauge("http_running_requests", "Requests under way", as_double(v.shards.running));
}

double age_of_oldest(const metrics_view& v) {
    auto oldest = v.oldest.value_or(v.now);
    for (const auto& kept : v.spool)
        if (kept.oldest) oldest = std::min(oldest, *kept.oldest);
    return std::max(0.0, std::chrono::duration<double>(v.now - oldest).count());
}

}  // namespace

void latency_histogram::observe(std::chrono::duration<double> what) noexcept {
    const auto* const at = std::ranges::lower_bound(bounds, what.count());
    ++counts_[static_cast<std::size_t>(at - bounds.begin())];
    sum_ += what.count();
}

void latency_histogram::add(const latency_histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    sum_ += other.sum_;
}

void request_metrics::add(const request_metrics& other) {
    for (const auto& [key, more] : other.rows_) {
        auto& mine = rows_[key];
        mine.requests += more.requests;
        mine.received += more.received;
        mine.sent += more.sent;
    }
    for (const auto& [route, more] : other.durations_) durations_[route].add(more);
}

void shard_numbers::add(const shard_numbers& other) {
    for (const auto& [name, value] : other.counters) counters[name] += value;
    requests.add(other.requests);
    accepted += other.accepted;
    refused += other.refused;
    connections += other.connections;
    running += other.running;
}

void request_metrics::count(const http::request_report& r) {
    const std::string route = r.route.empty() ? "none" : std::string(r.route);
    const std::string status = r.status == 0 ? "gone" : std::to_string(r.status / 100) + "xx";
    auto& sum = rows_[{route, status}];
    ++sum.requests;
    sum.received += r.received;
    sum.sent += r.sent;
    durations_[route].observe(r.took);
}

std::string render_metrics(const metrics_view& v) {
    page out;
    out.gauge("ready", "1 once recovery has ended", v.ready ? 1 : 0);
    out.counter("events_accepted_total", "Events accepted by HTTP: durable in the log",
                as_double(v.shards.accepted));
    out.counter("events_refused_total", "Events refused by HTTP", as_double(v.shards.refused));
    out.gauge("oldest_undelivered_seconds", "Age of the oldest event that is not delivered, in log or spool",
              age_of_oldest(v));
    out.gauge("log_begin_position", "Oldest position of the event log", as_double(v.log_begin));
    out.gauge("log_end_position", "Position of the next event", as_double(v.log_end));
    out.gauge("log_delivered_position", "All events before it are delivered or kept in the spool",
              as_double(v.log_delivered));
    out.gauge("log_pending_events", "Events in the log without a verdict",
              as_double(v.log_end - v.log_delivered));
    out.gauge("log_bytes", "Size of the event log on disk", as_double(v.log_bytes));
    out.gauge("log_overdue_bytes", "Of segments beyond the retention that hold undelivered events",
              as_double(v.log_overdue_bytes));
    out.counter("log_read_again_total", "Times events had to be read again because they could not be kept",
                as_double(v.read_again));
    out.start("event_settled_seconds", "From acceptance to delivered or kept, for blocks of events in order",
              MetricType::Histogram);
    out.add({}, v.settled);
    add_services(out, v);
    if (v.books != nullptr) add_conservation(out, v);
    if (v.destinations != nullptr) v.destinations->render(out, v.now);
    add_credentials(out, v);
    add_requests(out, v);
    out.start("internal_total", "Counters of the shard, by name", MetricType::Counter);
    for (const auto& [name, value] : v.shards.counters) out.add({{"name", name}}, as_double(value));
    return out.text();
}

}  // namespace firehose::app
