#include "examples/firehose/daemon.hpp"

#include "examples/firehose/batch_config.hpp"
#include "examples/firehose/pulling.hpp"
#include "pipeline/scope.hpp"
#include "stages/reference.hpp"

#include <chrono>

namespace firehose::app {
namespace {

constexpr std::chrono::milliseconds batch_linger{50};  // little beside the age of an object

}  // namespace

task<> daemon::deliver(context& x) {
    return with_scope(x.ex, [this, &x](task_scope& s) {
        s.spawn(deliver_log(x));
        s.spawn(deliver_spool(x));
        s.spawn(pull_streams(x, how_, files_,
                             [this](stages::log_append e) { return keep_pulled(std::move(e)); }));
    });
}

task<result<stages::log_receipt>> daemon::keep_pulled(stages::log_append events) {
    auto receipt = co_await log_store_->append(std::move(events));
    if (receipt.has_value()) pulled_ += receipt->count;
    co_return receipt;
}

task<> daemon::deliver_log(context& x) {
    stages::ingest_journal::options options;
    options.settled = [this](std::chrono::duration<double> took) { settled_.observe(took); };
    if (how_.batch) {
        leave_bounds_to_gather(options);
        options.linger = batch_linger;
        options.begin_at = [this](stages::log_position from) { return plan_->begin_reading(from); };
    }
    stages::ingest_journal source(*log_store_, options);
    progress_ = source.look();
    live_->attach(*bench_, progress_);
    auto routing = bench_->routing();
    routing.shape = how_.shape;
    routing.routes = [this](std::string_view flow, std::uint64_t stamp) { return live_->route(flow, stamp); };
    routing.refused = [&x](const stages::refusal& r) {
        x.log.error("an accepted event cannot be read", {{"position", r.line}, {"reason", r.reason}});
    };
    if (how_.batch) {
        stages::gather::options batch{*how_.batch, plan_, bench_->files()};
        auto pipeline = stages::batch_pipeline(std::move(source), std::move(routing), std::move(batch),
                                               bench_->delivery(), how_.services);
        co_await pipeline.run(x);
        co_return;
    }
    auto pipeline =
        stages::reference_pipeline(std::move(source), std::move(routing), bench_->delivery(), how_.services);
    co_await pipeline.run(x);
}

task<> daemon::deliver_spool(context& x) {
    auto again = chain(stages::unspool(bench_->delivery(), how_.unspool),
                       stages::upload(bench_->delivery(), stages::every_service()));
    co_await again.run(x);
}

}  // namespace firehose::app
