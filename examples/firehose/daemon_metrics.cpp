#include "examples/firehose/daemon.hpp"

#include "pipeline/call_on.hpp"

#include <algorithm>

namespace firehose::app {

task<std::string> daemon::backlog() const {
    if (!bench_) co_return R"("pending":0)";
    std::uint64_t spooled = 0, parked = 0;
    for (const auto& row : bench_->spool().contents()) {
        spooled += row.records;
        parked += row.parked;
    }
    co_return "\"pending\":" + std::to_string(log_store_->end() - log_store_->delivered()) +
        ",\"spooled\":" + std::to_string(spooled) + ",\"parked\":" + std::to_string(parked);
}

shard_numbers daemon::numbers_of(unsigned shard) const {
    const auto& api = *apis_[shard];
    shard_numbers out;
    out.counters = contexts_[shard]->count.snapshot();
    out.requests = api.requests();
    out.accepted = api.ingest().accepted();
    out.refused = api.ingest().refused();
    out.connections = api.server().connections();
    out.running = api.server().running_requests();
    return out;
}

task<std::string> daemon::metrics() {
    auto sum = numbers_of(0);
    for (unsigned i = 1; i < shards_; ++i) {
        std::function<task<shard_numbers>()> ask = [this, i] { return tell_numbers(i); };
        const auto more = co_await call_on(all_[i], std::move(ask));
        sum.add(more);
    }
    metrics_view v{.shards = sum, .settled = settled_};
    v.services = services_;
    v.now = contexts_.front()->time.wall_now();
    v.ready = ready_;
    if (bench_) {
        v.books = bench_->books().get();
        v.spool = bench_->spool().contents();
        v.spool_at_start = spool_at_start_;
        destinations_.look(*bench_->delivery(), v.spool);
        v.destinations = &destinations_;
        for (const auto& held : bench_->credentials().all())
            if (const auto left = held.source->expires_in()) v.expiries.emplace_back(held.id, *left);
        for (const auto& [to, lane] : bench_->delivery()->lanes())
            v.breakers.emplace_back(to.service, lane->gate.current());
        v.log_begin = log_store_->begin();
        v.log_end = log_store_->end();
        v.log_delivered = log_store_->delivered();
        v.log_bytes = log_store_->bytes();
        v.log_overdue_bytes = log_store_->overdue_bytes();
        if (progress_) v.read_again = progress_->losses;
        if (progress_) v.oldest = progress_->oldest;
    }
    co_return render_metrics(v);
}

void daemon::name_rows() {
    const auto named = live_->destinations();
    for (const auto& to : named)
        if (services_.size() < 100 && std::ranges::find(services_, to.service) == services_.end())
            services_.push_back(to.service);
    destinations_.name(named);
}

}  // namespace firehose::app
