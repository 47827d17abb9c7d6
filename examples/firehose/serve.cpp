/// firehose serve: events in by HTTP, durable before the 2xx; delivered from the event log until stopped.
#include "examples/firehose/closing_account.hpp"
#include "examples/firehose/console.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/http_api.hpp"
#include "examples/firehose/verbs.hpp"
#include "http/server_tls.hpp"
#include "pipeline/run.hpp"
#include "pipeline/scope.hpp"
#include "stages/ingest_journal.hpp"
#include "stages/reference.hpp"
#include "stages/workbench.hpp"

#include <boost/asio/basic_signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <optional>

#include <sys/resource.h>

namespace firehose::app {
namespace {

/// Of the server's life. On the stack of serve_verb(), around the shard.
class daemon {
public:
    daemon(const configuration& how, const storage::registry& stores, service_manager manager, logger log)
        : how_(how), stores_(stores), manager_(std::move(manager)), log_(std::move(log)) {}

    /// What can be wrong before anything runs; empty when nothing is.
    std::string open_sockets() {
        if (how_.server.tokens.empty() && !how_.server.development)
            return "the configuration has no section \"server\" with tokens, so nobody could get in";
        auto inherited = inherited_sockets(manager_);
        if (inherited.has_error()) return inherited.error().context();
        sockets_ = std::move(*inherited);
        if (sockets_.empty())
            for (const auto& address : how_.server.listen) {
                auto one = http::listen_on(address, false);
                if (one.has_error()) return one.error().context();
                sockets_.push_back(std::move(*one));
            }
        const bool everyone = how_.server.development && how_.server.tokens.empty();
        for (const auto& socket : sockets_)
            if (everyone && !socket.loopback_only())
                return socket.address() + " can be reached from other machines: that needs tokens, "
                                          "\"development\" is for loopback addresses";
        return load_tls() ? "" : tls_problem_;
    }

    task<> run(context& x) {
        return with_scope(x.ex, [this, &x](task_scope& s) { return live(s, x); });
    }

    int finish(const run_report& report, bool json) const {
        if (report.how == ending::failed) log_.error("the server failed", {{"reason", report.what}});
        if (!problem_.empty()) return exit_code::usage;
        auto text = to_json(closed_);
        text.pop_back();
        text += ",\"pending\":" + std::to_string(pending_) + "}";
        if (json)
            std::printf("%s\n", text.c_str());
        else
            std::printf("%spending in the event log: %llu\n", to_table(closed_).c_str(),
                        static_cast<unsigned long long>(pending_));
        if (report.how == ending::failed) return exit_code::internal;
        if (report.how == ending::cancelled || pending_ > 0) return exit_code::kept;
        for (const auto& row : spool_at_end_)
            if (row.records + row.parked > 0) return exit_code::kept;
        return exit_code::all_delivered;
    }

private:
    bool load_tls() {
        if (!how_.server.tls) return true;
        auto loaded = http::load_server_tls(*how_.server.tls);
        tls_problem_ = loaded.has_error() ? loaded.error().context() : "";
        if (loaded.has_value()) tls_ = std::move(*loaded);
        return loaded.has_value();
    }

    task<> live(task_scope& s, context& x) {
        begun_ = x.time.now();
        make_api(x);
        for (const auto& socket : sockets_)
            x.log.info("listening", {{"address", socket.address()}, {"tls", tls_ ? "yes" : "no"}});
        s.spawn(serve_http());
        s.spawn(obey_hangups(x));
        co_await recover(x);
        if (problem_.empty() && !x.stop.draining()) {
            announce(x);
            s.spawn(log_store_->keep_trimmed());
            s.spawn(say_goodbye(x));
            co_await deliver(x);
        }
        while (!http_ended_) co_await changed_->async_wait(use_task);
        close(x);
        s.cancel();
    }

    void make_api(context& x) {
        changed_.emplace(x.ex);
        const bool everyone = how_.server.development && how_.server.tokens.empty();
        access_table access(how_.server.tokens, everyone, x.random);
        api_backend backend;
        backend.append = [this](stages::log_append events) { return log_store_->append(std::move(events)); };
        backend.ready = [this, &x] { return ready_ && !x.stop.cancelling(); };
        backend.backlog = [this] { return backlog(); };
        backend.metrics = [this, &x] { return metrics(x); };
        api_.emplace(x, how_.server, how_.shape, std::move(access), std::move(backend));
        api_->server().use_tls(tls_);
    }

    task<> serve_http() {
        co_await api_->server().run(std::move(sockets_));
        http_ended_ = true;
        changed_->wake_all();
    }

    /// SIGHUP: new connections get the certificates that are in the files now.
    task<> obey_hangups(context& x) {
        asio::basic_signal_set<executor> signals(x.ex, SIGHUP);
        for (;;) {
            co_await signals.async_wait(use_task);
            const bool loaded = load_tls();
            if (loaded) api_->server().use_tls(tls_);
            if (loaded)
                x.log.info("certificates reloaded");
            else
                x.log.error("certificates not reloaded, the old ones stay", {{"reason", tls_problem_}});
        }
    }

    task<> say_goodbye(context& x) {
        co_await x.stop.wait_for_drain();
        notify(manager_, "STOPPING=1");
    }

    task<> recover(context& x) {
        auto log = co_await stages::event_log::open(x, files_, how_.data_dir, how_.server.log);
        if (log.has_value()) {
            log_store_ = std::move(*log);
            auto bench = co_await stages::workbench::open(x, bench_options());
            if (bench.has_value()) {
                bench_ = std::move(*bench);
                co_return;
            }
            problem_ = bench.error().context();
        } else {
            problem_ = log.error().context();
        }
        x.log.error("the data directory cannot be used, so nothing is accepted", {{"reason", problem_}});
        x.stop.request_drain();
    }

    void announce(context& x) {
        ready_ = true;
        std::uint64_t spooled = 0;
        for (const auto& row : bench_->spool().contents()) spooled += row.records;
        x.log.info("ready", {{"pending", log_store_->end() - log_store_->delivered()},
                             {"spooled", spooled},
                             {"log_bytes", log_store_->bytes()}});
        notify(manager_, "READY=1");
    }

    task<> deliver(context& x) {
        return with_scope(x.ex, [this, &x](task_scope& s) {
            s.spawn(deliver_log(x));
            s.spawn(deliver_spool(x));
        });
    }

    task<> deliver_log(context& x) {
        stages::ingest_journal::options options;
        options.settled = [this](std::chrono::duration<double> took) { settled_.observe(took); };
        stages::ingest_journal source(*log_store_, options);
        progress_ = source.look();
        auto routing = bench_->routing();
        routing.shape = how_.shape;
        routing.routing = std::make_shared<const stages::routing_table>(how_.routing);
        routing.refused = [&x](const stages::refusal& r) {
            x.log.error("an accepted event cannot be read", {{"position", r.line}, {"reason", r.reason}});
        };
        auto pipeline = stages::reference_pipeline(std::move(source), std::move(routing), bench_->delivery(),
                                                   how_.services);
        co_await pipeline.run(x);
    }

    task<> deliver_spool(context& x) {
        const stages::unspool::options options;
        auto again = chain(stages::unspool(bench_->delivery(), options),
                           stages::upload(bench_->delivery(), stages::every_service()));
        co_await again.run(x);
    }

    void close(context& x) {
        if (!bench_) return;
        spool_at_end_ = bench_->spool().contents();
        closed_ = close_books(*bench_->books(), how_.services, spool_at_end_, begun_, x.time.now());
        closed_.accepted = api_->ingest().accepted();
        closed_.refused = api_->ingest().refused();
        closed_.dropped = 0;  // what could not be kept is still in the log, and pending
        pending_ = log_store_->end() - log_store_->delivered();
    }

    stages::workbench_options bench_options() const {
        stages::workbench_options bench;
        bench.base_directory = how_.base_directory;
        bench.data_dir = how_.data_dir;
        bench.stores = stores_;
        bench.credentials = how_.credentials;
        bench.delivery = how_.delivery;
        bench.http = how_.http;
        return bench;
    }

    std::string backlog() const {
        std::uint64_t spooled = 0, parked = 0;
        for (const auto& row : bench_->spool().contents()) {
            spooled += row.records;
            parked += row.parked;
        }
        return "\"pending\":" + std::to_string(log_store_->end() - log_store_->delivered()) +
               ",\"spooled\":" + std::to_string(spooled) + ",\"parked\":" + std::to_string(parked);
    }

    std::string metrics(context& x) const {
        const auto counters = x.count.snapshot();
        metrics_view v{.counters = counters, .requests = api_->requests(), .settled = settled_};
        v.services = how_.services;
        v.now = x.time.wall_now();
        v.accepted = api_->ingest().accepted();
        v.refused = api_->ingest().refused();
        v.connections = api_->server().connections();
        v.running = api_->server().running_requests();
        v.ready = ready_;
        if (ready_) {
            v.books = bench_->books().get();
            v.spool = bench_->spool().contents();
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
        return render_metrics(v);
    }

    const configuration& how_;
    const storage::registry& stores_;
    service_manager manager_;
    logger log_;
    std::vector<http::listening_socket> sockets_{};
    std::shared_ptr<boost::asio::ssl::context> tls_{};
    std::string tls_problem_{}, problem_{};
    storage::system_files files_{};
    std::optional<wait_queue> changed_{};
    std::unique_ptr<stages::event_log> log_store_{};
    std::unique_ptr<stages::workbench> bench_{};
    std::shared_ptr<const stages::ingest_journal::view> progress_{};
    latency_histogram settled_{};
    std::optional<http_api> api_{};
    time_source::steady begun_{};
    bool ready_ = false, http_ended_ = false;
    closing_account closed_{};
    std::vector<stages::backlog> spool_at_end_{};
    std::uint64_t pending_ = 0;
};

/// Connections are files, and the usual soft limit is 1,024.
void raise_file_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int serve_verb(const serve_arguments& args) {
    const auto stores = storage::default_registry();
    const auto configured = load_configuration(args.config, args.overrides, stores);
    if (!print_faults(args.config, configured)) return exit_code::usage;
    raise_file_limit();
    run_options options;
    options.log = console_log();
    options.blocking_threads = 8;
    daemon server(configured.what, stores, args.manager, options.log);
    if (const auto problem = server.open_sockets(); !problem.empty()) {
        std::fprintf(stderr, "error: %s\n", problem.c_str());
        return exit_code::usage;
    }
    const auto report = firehose::run([&server](context& x) { return server.run(x); }, options);
    return server.finish(report, args.json);
}

}  // namespace firehose::app
