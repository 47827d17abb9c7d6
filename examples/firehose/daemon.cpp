#include "examples/firehose/daemon.hpp"

#include "examples/firehose/bench_options.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "pipeline/run.hpp"
#include "pipeline/scope.hpp"
#include "storage/shield.hpp"

#include <boost/asio/redirect_error.hpp>

#include <cstdio>

namespace firehose::app {
namespace {

constexpr std::size_t window_bytes = 32u << 20;  // of the log, kept for readers of the event stream

}  // namespace

task<> daemon::run(unsigned shard, context& x, const std::vector<executor>& all) {
    all_ = all;
    contexts_.push_back(&x);
    if (shard == 0) changed_.emplace(x.ex);
    make_api(shard, x);
    return shard == 0 ? serve_and_release(x) : serve_http(shard);
}

int daemon::finish(const run_report& report, bool json) const {
    if (report.how == ending::failed) log_.error("the server failed", {{"reason", report.what}});
    if (!problem_.empty()) return exit_code::usage;
    auto closed = closed_;
    closed.accepted = pulled_;
    closed.refused = 0;
    for (const auto& api : apis_) {
        closed.accepted += api->ingest().accepted();
        closed.refused += api->ingest().refused();
    }
    auto text = to_json(closed);
    text.pop_back();
    text += ",\"pending\":" + std::to_string(pending_) + "}";
    if (json)
        std::printf("%s\n", text.c_str());
    else
        std::printf("%spending in the event log: %llu\n", to_table(closed).c_str(),
                    static_cast<unsigned long long>(pending_));
    if (report.how == ending::failed) return exit_code::internal;
    if (report.how == ending::cancelled || pending_ > 0) return exit_code::kept;
    for (const auto& row : spool_at_end_)
        if (row.records + row.parked > 0) return exit_code::kept;
    return exit_code::all_delivered;
}

task<> daemon::serve_and_release(context& x) {
    std::exception_ptr failure;
    auto all = with_scope(x.ex, [this, &x](task_scope& s) { return live(s, x); });
    try {
        co_await std::move(all);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(
        false);  // it may have been cancelled: see storage/shield.hpp
    while (calls_ > 0) {
        error_code ignored;
        auto quietly = asio::redirect_error(use_task, ignored);
        co_await changed_->async_wait(quietly);
    }
    co_await asio::this_coro::throw_if_cancelled(true);
    ready_ = false;
    bench_.reset();
    window_.reset();
    live_.reset();
    plan_.reset();
    log_store_.reset();
    if (failure) std::rethrow_exception(failure);
}

task<> daemon::live(task_scope& s, context& x) {
    begun_ = x.time.now();
    s.spawn(serve_http(0));
    s.spawn(obey_hangups(x));
    co_await recover(x);
    if (problem_.empty() && !x.stop.draining()) {
        announce(x);
        s.spawn(log_store_->keep_trimmed());
        s.spawn(say_goodbye(x));
        co_await deliver(x);
    }
    while (servers_ended_ < shards_) co_await changed_->async_wait(use_task);
    close(x);
    s.cancel();
}

task<> daemon::recover(context& x) {
    const auto opened = co_await open_stores(x);
    if (opened.has_value()) co_return;
    problem_ = opened.error().context();
    x.log.error("the data directory cannot be used, so nothing is accepted", {{"reason", problem_}});
    for (unsigned i = 0; i < shards_; ++i)
        asio::post(all_[i], [&stop = contexts_[i]->stop] { stop.request_drain(); });
}

task<result<>> daemon::open_stores(context& x) {
    auto log = co_await stages::event_log::open(x, files_, how_.data_dir, how_.server.log);
    if (log.has_error()) co_return log.error();
    log_store_ = std::move(*log);
    window_ = std::make_unique<stages::log_window>(x, *log_store_, window_bytes);
    if (how_.batch) {
        auto settled = [this] { return log_store_->saved(); };
        auto plan = co_await stages::cut_plan::open_for_log(x, files_, how_.data_dir / "events" / "plan",
                                                            log_store_->end(), std::move(settled));
        if (plan.has_error()) co_return plan.error();
        plan_ = std::move(*plan);
    }
    const live_configuration::parts with{files_, stores_, *log_store_, plan_.get()};
    auto live = co_await live_configuration::open(x, with, how_);
    if (live.has_error()) co_return live.error();
    live_ = std::move(*live);
    auto options = bench_options(how_, stores_);
    options.credentials = live_->credentials();
    auto bench = co_await stages::workbench::open(x, std::move(options));
    if (bench.has_error()) co_return bench.error();
    bench_ = std::move(*bench);
    live_->attach(*bench_, nullptr);
    co_return result<>();
}

void daemon::announce(context& x) {
    ready_ = true;
    changed_->wake_all();
    std::uint64_t spooled = 0;
    spool_at_start_ = bench_->spool().contents();
    for (const auto& row : spool_at_start_) spooled += row.records;
    name_rows();
    bench_->delivery()->watch_puts([this](const storage::destination& to, auto took, bool stored) {
        destinations_.count(to, took, stored);
    });
    x.log.info("ready", {{"pending", log_store_->end() - log_store_->delivered()},
                         {"spooled", spooled},
                         {"log_bytes", log_store_->bytes()}});
    notify(manager_, "READY=1");
}

task<> daemon::say_goodbye(context& x) {
    co_await x.stop.wait_for_drain();
    notify(manager_, "STOPPING=1");
}

void daemon::close(context& x) {
    if (!bench_) return;
    spool_at_end_ = bench_->spool().contents();
    closed_ = close_books(*bench_->books(), how_.services, spool_at_end_, begun_, x.time.now());
    closed_.dropped = 0;  // what could not be kept is still in the log, and pending
    pending_ = log_store_->end() - log_store_->delivered();
}

}  // namespace firehose::app
