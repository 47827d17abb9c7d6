#include "examples/firehose/daemon.hpp"

#include "examples/firehose/config_changes.hpp"
#include "pipeline/blocking.hpp"

#include <boost/asio/basic_signal_set.hpp>

#include <csignal>

namespace firehose::app {

task<> daemon::obey_hangups(context& x) {
    asio::basic_signal_set<executor> signals(x.ex, SIGHUP);
    for (;;) {
        co_await signals.async_wait(use_task);
        while (!ready_) co_await changed_->async_wait(use_task);
        auto load = load_again_;
        auto fresh = co_await run_blocking(x.blocking, std::move(load));
        co_await take(x, std::move(fresh));
    }
}

task<> daemon::take(context& x, loaded fresh) {
    for (const auto& f : fresh.faults)
        x.log.error("fault in the configuration", {{"setting", f.pointer}, {"reason", f.message}});
    if (!fresh.faults.empty()) {
        x.log.error("configuration not reloaded, the old one stays", {{"faults", fresh.faults.size()}});
        co_return;
    }
    const bool same_protocol = fresh.what.server.tls.has_value() == how_.server.tls.has_value();
    certificates tls = tls_;
    const auto problem = load_tls(same_protocol ? fresh.what.server.tls : how_.server.tls, tls);
    if (!problem.empty()) {
        x.log.error("certificates not reloaded, the old ones stay, and so does the configuration",
                    {{"reason", problem}});
        co_return;
    }
    auto done = co_await live_->reload(fresh.what);
    if (done.has_error()) {
        x.log.error("configuration not reloaded, the old one stays", {{"reason", done.error().context()}});
        co_return;
    }
    name_rows();
    tell(x, fresh.what);
    tls_ = std::move(tls);
    const bool same_doors = fresh.what.server.tokens.empty() == how_.server.tokens.empty();
    for (unsigned i = 0; i < shards_; ++i) give(i, fresh.what.server, same_doors);
    if (tls_) x.log.info("certificates reloaded");
    running_ = std::move(fresh.what);
}

void daemon::tell(context& x, const configuration& fresh) const {
    std::size_t taken = 0, waiting = 0;
    for (const auto& c : differences(running_, fresh)) {
        if (c.needs_restart) continue;
        ++taken;
        x.log.info("setting changed", {{"setting", c.pointer}, {"from", c.from}, {"to", c.to}});
    }
    for (const auto& c : differences(how_, fresh)) {
        if (!c.needs_restart) continue;
        ++waiting;
        x.log.warning("setting not changed: it needs a restart",
                      {{"setting", c.pointer}, {"from", c.from}, {"to", c.to}});
    }
    x.log.info("configuration reloaded", {{"changed", taken}, {"need_restart", waiting}});
}

void daemon::give(unsigned shard, const server_settings& fresh, bool tokens) {
    asio::post(all_[shard], [this, shard, tls = tls_, tokens, fresh] {
        apis_[shard]->server().use_tls(tls);
        if (tokens) apis_[shard]->use_tokens(access_of(fresh, *contexts_[shard]));
    });
}

}  // namespace firehose::app
