/// firehose serve: events in by HTTP, durable before the 2xx; delivered from the event log until stopped.
#include "examples/firehose/bench_options.hpp"
#include "examples/firehose/check_api.hpp"
#include "examples/firehose/closing_account.hpp"
#include "examples/firehose/config_changes.hpp"
#include "examples/firehose/console.hpp"
#include "examples/firehose/credentials_api.hpp"
#include "examples/firehose/destination_metrics.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/flows_api.hpp"
#include "examples/firehose/http_api.hpp"
#include "examples/firehose/live_configuration.hpp"
#include "examples/firehose/openapi.hpp"
#include "examples/firehose/openapi_check.hpp"
#include "examples/firehose/pulling.hpp"
#include "examples/firehose/request_rate.hpp"
#include "examples/firehose/verbs.hpp"
#include "http/server_tls.hpp"
#include "pipeline/blocking.hpp"
#include "pipeline/call_on.hpp"
#include "pipeline/run.hpp"
#include "pipeline/scope.hpp"
#include "stages/ingest_journal.hpp"
#include "stages/reference.hpp"
#include "stages/workbench.hpp"
#include "storage/shield.hpp"

#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>

namespace firehose::app {
namespace {

constexpr std::size_t window_bytes = 32u << 20;  // of the log, kept for readers of the event stream

/// Of the server's life. On the stack of serve_verb(), around the shards. All of them accept; log, spool and
/// delivery live on the first, which the others call.
class daemon {
public:
    /// `load_again` reads the configuration anew; it blocks, and is called on another thread.
    daemon(const configuration& how, const storage::registry& stores, service_manager manager, logger log,
           std::function<loaded()> load_again)
        : how_(how),
          running_(how),
          services_(how.services),
          load_again_(std::move(load_again)),
          stores_(stores),
          manager_(std::move(manager)),
          log_(std::move(log)),
          shards_(how.server.shards != 0 ? how.server.shards
                                         : std::max(1U, std::thread::hardware_concurrency())),
          rate_(how.server.tokens, how.server.stream.requests_per_second, how.server.stream.burst) {}

    unsigned shards() const noexcept { return shards_; }

    /// What can be wrong before anything runs; empty when nothing is.
    std::string open_sockets() {
        if (how_.server.tokens.empty() && !how_.server.development)
            return "the configuration has no section \"server\" with tokens, so nobody could get in";
        auto inherited = inherited_sockets(manager_);
        if (inherited.has_error()) return inherited.error().context();
        auto& sockets = sockets_.emplace_back(std::move(*inherited));
        const bool ours = sockets.empty();
        if (ours)
            for (const auto& address : how_.server.listen) {
                auto one = http::listen_on(address, shards_ > 1);
                if (one.has_error()) return one.error().context();
                sockets.push_back(std::move(*one));
            }
        const bool everyone = how_.server.development && how_.server.tokens.empty();
        for (const auto& socket : sockets)
            if (everyone && !socket.loopback_only())
                return socket.address() + " can be reached from other machines: that needs tokens, "
                                          "\"development\" is for loopback addresses";
        for (const auto& socket : sockets)
            if (how_.server.check.guard.development && !socket.loopback_only())
                return socket.address() + " can be reached from other machines, which \"check\" with "
                                          "\"development\" would lead to this one";
        for (unsigned i = 1; i < shards_; ++i)
            if (auto problem = open_more_sockets(ours); !problem.empty()) return problem;
        return load_tls(how_.server.tls, tls_);
    }

    /// Called for one shard after the other, before any of them runs.
    task<> run(unsigned shard, context& x, const std::vector<executor>& all) {
        all_ = all;
        contexts_.push_back(&x);
        if (shard == 0) changed_.emplace(x.ex);
        make_api(shard, x);
        return shard == 0 ? serve_and_release(x) : serve_http(shard);
    }

    int finish(const run_report& report, bool json) const {
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

private:
    /// The same addresses once more, for another shard.
    std::string open_more_sockets(bool ours) {
        std::vector<http::listening_socket> more;
        for (const auto& first : sockets_.front()) {
            auto one = ours ? http::listen_on(first.address(), true)
                            : http::adopt_socket(::fcntl(first.get(), F_DUPFD_CLOEXEC, 0));
            if (one.has_error()) return one.error().context();
            more.push_back(std::move(*one));
        }
        sockets_.push_back(std::move(more));
        return {};
    }

    using certificates = std::shared_ptr<boost::asio::ssl::context>;

    /// What is wrong, and then `into` is as before.
    static std::string load_tls(const std::optional<http::server_tls_files>& from, certificates& into) {
        if (!from) return {};
        auto made = http::load_server_tls(*from);
        if (made.has_error()) return made.error().context();
        into = std::move(*made);
        return {};
    }

    /// However it ends: log, spool and connections go while their shard is there, and nobody uses them.
    task<> serve_and_release(context& x) {
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
        log_store_.reset();
        if (failure) std::rethrow_exception(failure);
    }

    task<> live(task_scope& s, context& x) {
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

    void make_api(unsigned shard, context& x) {
        auto access = access_of(how_.server, x);
        api_backend backend;
        backend.ready = [this] { return ready_.load(); };
        backend.append = [this, shard](stages::log_append events) {
            return shard == 0 ? log_store_->append(std::move(events)) : append_from_afar(std::move(events));
        };
        backend.backlog = [this] { return call_on<std::string>(all_.front(), [this] { return backlog(); }); };
        backend.metrics = [this] { return call_on<std::string>(all_.front(), [this] { return metrics(); }); };
        backend.stream.read = [this, shard](stages::log_position from, std::size_t most) {
            return shard == 0 ? read_here(from, most) : read_from_afar(from, most);
        };
        backend.stream.admit = [this, &x](std::string_view user) { return rate_.take(user, x.time.now()); };
        auto settings = how_.server;
        settings.limits.connections = std::max<std::size_t>(1, settings.limits.connections / shards_);
        settings.ingest.max_bodies_in_memory /= shards_;
        apis_.push_back(
            std::make_unique<http_api>(x, settings, how_.shape, std::move(access), std::move(backend)));
        apis_.back()->server().use_tls(tls_);
        auto checks = how_.server.check;
        checks.at_once = std::max(1U, checks.at_once / shards_);
        checks_.push_back(std::make_unique<check_api>(x, std::move(checks), how_.http, stores_));
        checks_.back()->add_to(apis_.back()->routes());
        auto& routes = apis_.back()->routes();
        add_admin_routes(routes, "/flows",
                         [this](admin_request r) { return administer(&daemon::answer_flow, std::move(r)); });
        add_admin_routes(routes, "/credentials", [this](admin_request r) {
            return administer(&daemon::answer_credential, std::move(r));
        });
        if (shard != 0) return;
        for (const auto& socket : sockets_.front())
            x.log.info("listening",
                       {{"address", socket.address()}, {"tls", tls_ ? "yes" : "no"}, {"shards", shards_}});
    }

    static access_table access_of(const server_settings& how, context& x) {
        return {how.tokens, how.development && how.tokens.empty(), x.random};
    }

    /// What others have under way on this shard; log, spool and configuration stay until they have ended.
    struct call {
        explicit call(daemon& d) : of(d) { ++of.calls_; }
        call(const call&) = delete;
        ~call() {
            --of.calls_;
            of.changed_->wake_all();
        }
        daemon& of;
    };

    using administration = task<http::answer> (daemon::*)(std::shared_ptr<admin_request>);

    /// From any shard. Runs to its end, whoever hangs up.
    task<http::answer> administer(administration what, admin_request r) {
        auto kept = std::make_shared<admin_request>(std::move(r));
        std::function<task<http::answer>()> ask = [this, what, kept] { return (this->*what)(kept); };
        co_return co_await call_on(all_.front(), std::move(ask));
    }

    task<http::answer> answer_flow(std::shared_ptr<admin_request> r) {
        const call under_way(*this);
        if (!ready_ || !live_) co_return not_yet();
        flows_api api(*live_, log_);
        const bool changes = r->method != "GET";
        auto answered = co_await api.answer(std::move(*r));
        if (changes) name_rows();
        co_return answered;
    }

    task<http::answer> answer_credential(std::shared_ptr<admin_request> r) {
        const call under_way(*this);
        if (!ready_ || !live_) co_return not_yet();
        credentials_api api(*live_, *contexts_.front());
        auto answered = co_await api.answer(std::move(*r));
        co_return answered;
    }

    static http::refusal not_yet() {
        http::refusal early(503, "temporarily_unavailable", "the server is starting or stopping");
        early.headers.emplace_back("Retry-After", "1");
        return early;
    }

    task<result<stages::log_receipt>> append_from_afar(stages::log_append events) {
        auto kept = std::make_shared<stages::log_append>(std::move(events));
        std::function<task<result<stages::log_receipt>>()> append = [this, kept] {
            return append_here(kept);
        };
        co_return co_await call_on(all_.front(), std::move(append));
    }

    static error stopping() {
        error_details d;
        d.status = 503;
        d.provider_code = "temporarily_unavailable";
        d.context = "the server is stopping";
        return {disposition::retry, std::move(d)};
    }

    task<result<stages::log_receipt>> append_here(std::shared_ptr<stages::log_append> events) {
        const call under_way(*this);
        if (!log_store_) co_return stopping();
        co_return co_await log_store_->append(std::move(*events));
    }

    task<result<stages::log_slice>> read_here(stages::log_position from, std::size_t most) {
        const call under_way(*this);
        if (!window_) co_return stopping();
        co_return co_await window_->read(from, most);
    }

    task<result<stages::log_slice>> read_from_afar(stages::log_position from, std::size_t most) {
        std::function<task<result<stages::log_slice>>()> read = [this, from, most] {
            return read_here(from, most);
        };
        co_return co_await call_on(all_.front(), std::move(read));
    }

    /// Once all routes are there: a description that leaves one out is a fault of the program.
    void check_description(context& x) {
        for (const auto& one : openapi_differences(openapi_json, apis_.front()->routes()))
            x.log.error("the description at /openapi.json is not that of this server", {{"where", one}});
    }

    task<> serve_http(unsigned shard) {
        if (shard == 0) check_description(*contexts_.front());
        co_await apis_[shard]->server().run(std::move(sockets_[shard]));
        asio::post(all_.front(), [this] {
            ++servers_ended_;
            changed_->wake_all();
        });
    }

    /// SIGHUP: what may change at once is as the files say now, or all of it stays.
    task<> obey_hangups(context& x) {
        asio::basic_signal_set<executor> signals(x.ex, SIGHUP);
        for (;;) {
            co_await signals.async_wait(use_task);
            while (!ready_) co_await changed_->async_wait(use_task);
            auto load = load_again_;
            auto fresh = co_await run_blocking(x.blocking, std::move(load));
            co_await take(x, std::move(fresh));
        }
    }

    task<> take(context& x, loaded fresh) {
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
            x.log.error("configuration not reloaded, the old one stays",
                        {{"reason", done.error().context()}});
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

    /// One line for each setting that is another one now, or would be after a restart.
    void tell(context& x, const configuration& fresh) const {
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

    void give(unsigned shard, const server_settings& fresh, bool tokens) {
        asio::post(all_[shard], [this, shard, tls = tls_, tokens, fresh] {
            apis_[shard]->server().use_tls(tls);
            if (tokens) apis_[shard]->use_tokens(access_of(fresh, *contexts_[shard]));
        });
    }

    task<> say_goodbye(context& x) {
        co_await x.stop.wait_for_drain();
        notify(manager_, "STOPPING=1");
    }

    task<> recover(context& x) {
        auto log = co_await stages::event_log::open(x, files_, how_.data_dir, how_.server.log);
        if (log.has_value()) {
            log_store_ = std::move(*log);
            window_ = std::make_unique<stages::log_window>(x, *log_store_, window_bytes);
            const live_configuration::parts with{files_, stores_, *log_store_};
            auto live = co_await live_configuration::open(x, with, how_);
            if (live.has_value()) {
                live_ = std::move(*live);
                auto options = bench_options(how_, stores_);
                options.credentials = live_->credentials();
                auto bench = co_await stages::workbench::open(x, std::move(options));
                if (bench.has_value()) {
                    bench_ = std::move(*bench);
                    live_->attach(*bench_, nullptr);
                    co_return;
                }
                problem_ = bench.error().context();
            } else {
                problem_ = live.error().context();
            }
        } else {
            problem_ = log.error().context();
        }
        x.log.error("the data directory cannot be used, so nothing is accepted", {{"reason", problem_}});
        for (unsigned i = 0; i < shards_; ++i)
            asio::post(all_[i], [&stop = contexts_[i]->stop] { stop.request_drain(); });
    }

    void announce(context& x) {
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

    task<> deliver(context& x) {
        return with_scope(x.ex, [this, &x](task_scope& s) {
            s.spawn(deliver_log(x));
            s.spawn(deliver_spool(x));
            s.spawn(pull_streams(x, how_, files_,
                                 [this](stages::log_append e) { return keep_pulled(std::move(e)); }));
        });
    }

    task<result<stages::log_receipt>> keep_pulled(stages::log_append events) {
        auto receipt = co_await log_store_->append(std::move(events));
        if (receipt.has_value()) pulled_ += receipt->count;
        co_return receipt;
    }

    task<> deliver_log(context& x) {
        stages::ingest_journal::options options;
        options.settled = [this](std::chrono::duration<double> took) { settled_.observe(took); };
        stages::ingest_journal source(*log_store_, options);
        progress_ = source.look();
        live_->attach(*bench_, progress_);
        auto routing = bench_->routing();
        routing.shape = how_.shape;
        routing.routes = [this](std::string_view flow, std::uint64_t stamp) {
            return live_->route(flow, stamp);
        };
        routing.refused = [&x](const stages::refusal& r) {
            x.log.error("an accepted event cannot be read", {{"position", r.line}, {"reason", r.reason}});
        };
        auto pipeline = stages::reference_pipeline(std::move(source), std::move(routing), bench_->delivery(),
                                                   how_.services);
        co_await pipeline.run(x);
    }

    task<> deliver_spool(context& x) {
        auto again = chain(stages::unspool(bench_->delivery(), how_.unspool),
                           stages::upload(bench_->delivery(), stages::every_service()));
        co_await again.run(x);
    }

    void close(context& x) {
        if (!bench_) return;
        spool_at_end_ = bench_->spool().contents();
        closed_ = close_books(*bench_->books(), how_.services, spool_at_end_, begun_, x.time.now());
        closed_.dropped = 0;  // what could not be kept is still in the log, and pending
        pending_ = log_store_->end() - log_store_->delivered();
    }

    task<std::string> backlog() const {
        if (!bench_) co_return R"("pending":0)";
        std::uint64_t spooled = 0, parked = 0;
        for (const auto& row : bench_->spool().contents()) {
            spooled += row.records;
            parked += row.parked;
        }
        co_return "\"pending\":" + std::to_string(log_store_->end() - log_store_->delivered()) +
            ",\"spooled\":" + std::to_string(spooled) + ",\"parked\":" + std::to_string(parked);
    }

    shard_numbers numbers_of(unsigned shard) const {
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

    task<shard_numbers> tell_numbers(unsigned shard) const { co_return numbers_of(shard); }

    task<std::string> metrics() {
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

    /// Services and destinations that flows name get rows of their own in the metrics, up to a limit;
    /// services keep them.
    void name_rows() {
        const auto named = live_->destinations();
        for (const auto& to : named)
            if (services_.size() < 100 && std::ranges::find(services_, to.service) == services_.end())
                services_.push_back(to.service);
        destinations_.name(named);
    }

    const configuration& how_;  ///< what the process was started with
    configuration running_;     ///< how_, and of later ones what is taken at once
    std::vector<std::string> services_;
    std::function<loaded()> load_again_;
    const storage::registry& stores_;
    service_manager manager_;
    logger log_;
    const unsigned shards_;
    request_rate rate_;
    std::vector<executor> all_{};
    std::vector<context*> contexts_{};
    std::vector<std::vector<http::listening_socket>> sockets_{};  ///< by shard, until it serves
    certificates tls_{};
    std::string problem_{};
    storage::system_files files_{};
    std::optional<wait_queue> changed_{};
    std::unique_ptr<stages::event_log> log_store_{};
    std::unique_ptr<stages::log_window> window_{};
    std::unique_ptr<live_configuration> live_{};
    std::unique_ptr<stages::workbench> bench_{};
    std::shared_ptr<const stages::ingest_journal::view> progress_{};
    latency_histogram settled_{};
    destination_metrics destinations_{};
    std::vector<stages::backlog> spool_at_start_{};
    std::vector<std::unique_ptr<check_api>> checks_{};
    std::vector<std::unique_ptr<http_api>> apis_{};
    time_source::steady begun_{};
    std::atomic<bool> ready_ = false;
    unsigned servers_ended_ = 0;
    std::size_t calls_ = 0;  ///< of other shards under way
    closing_account closed_{};
    std::vector<stages::backlog> spool_at_end_{};
    std::uint64_t pending_ = 0, pulled_ = 0;
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
    if (configured.what.batch) {
        std::fprintf(stderr, "%s\n",
                     to_text(args.config,
                             {"/delivery/layout", "must be \"event\": serve makes one object of each event"})
                         .c_str());
        return exit_code::usage;
    }
    raise_file_limit();
    run_options options;
    options.log = console_log();
    options.blocking_threads = 8;
    const auto load_again = [&] { return load_configuration(args.config, args.overrides, stores); };
    daemon server(configured.what, stores, args.manager, options.log, load_again);
    if (const auto problem = server.open_sockets(); !problem.empty()) {
        std::fprintf(stderr, "error: %s\n", problem.c_str());
        return exit_code::usage;
    }
    const auto root = [&server](unsigned shard, context& x, const std::vector<executor>& all) {
        return server.run(shard, x, all);
    };
    const auto report = firehose::run_sharded(server.shards(), root, options);
    return server.finish(report, args.json);
}

}  // namespace firehose::app
