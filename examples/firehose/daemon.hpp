/// The process behind `firehose serve`: what lives on which shard, and in which order it comes and goes.
#pragma once
#include "examples/firehose/admin_routes.hpp"
#include "examples/firehose/check_api.hpp"
#include "examples/firehose/closing_account.hpp"
#include "examples/firehose/console.hpp"
#include "examples/firehose/destination_metrics.hpp"
#include "examples/firehose/http_api.hpp"
#include "examples/firehose/live_configuration.hpp"
#include "examples/firehose/request_rate.hpp"
#include "examples/firehose/service_manager.hpp"
#include "pipeline/run.hpp"
#include "pipeline/scope.hpp"
#include "stages/cut_plan.hpp"
#include "stages/ingest_journal.hpp"
#include "stages/workbench.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace firehose::app {

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
          rate_(how.server.tokens, how.server.stream.requests_per_second, how.server.stream.burst),
          check_rate_(how.server.tokens, how.server.check.requests_per_second, how.server.check.burst) {}
    unsigned shards() const noexcept { return shards_; }
    /// What can be wrong before anything runs; empty when nothing is.
    std::string open_sockets();
    /// Called for one shard after the other, before any of them runs.
    task<> run(unsigned shard, context& x, const std::vector<executor>& all);
    int finish(const run_report& report, bool json) const;

private:
    using certificates = std::shared_ptr<boost::asio::ssl::context>;
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

    // Its life (daemon.cpp).
    /// However it ends: log, spool and connections go while their shard is there, and nobody uses them.
    task<> serve_and_release(context& x);
    task<> live(task_scope& s, context& x);
    task<> say_goodbye(context& x);
    task<> recover(context& x);
    task<result<>> open_stores(context& x);
    void announce(context& x);
    void close(context& x);

    // What clients ask, on any shard, and what of it the first one answers (daemon_api.cpp).
    /// The same addresses once more, for another shard.
    std::string open_more_sockets(bool ours);
    /// What is wrong, and then `into` is as before.
    static std::string load_tls(const std::optional<http::server_tls_files>& from, certificates& into);
    void make_api(unsigned shard, context& x);
    static access_table access_of(const server_settings& how, context& x);
    /// From any shard. Runs to its end, whoever hangs up.
    task<http::answer> administer(administration what, admin_request r);
    task<http::answer> answer_flow(std::shared_ptr<admin_request> r);
    task<http::answer> answer_credential(std::shared_ptr<admin_request> r);
    static http::refusal not_yet();
    task<result<stages::log_receipt>> append_from_afar(stages::log_append events);
    static error stopping();
    task<result<stages::log_receipt>> append_here(std::shared_ptr<stages::log_append> events);
    task<result<stages::log_slice>> read_here(stages::log_position from, std::size_t most);
    task<result<stages::log_slice>> read_from_afar(stages::log_position from, std::size_t most);
    /// Once all routes are there: a description that leaves one out is a fault of the program.
    void check_description(context& x);
    task<> serve_http(unsigned shard);

    // From the log, the spool and other streams (daemon_delivery.cpp).
    task<> deliver(context& x);
    task<result<stages::log_receipt>> keep_pulled(stages::log_append events);
    task<> deliver_log(context& x);
    task<> deliver_spool(context& x);

    // SIGHUP (daemon_reload.cpp).
    /// SIGHUP: what may change at once is as the files say now, or all of it stays.
    task<> obey_hangups(context& x);
    task<> take(context& x, loaded fresh);
    /// One line for each setting that is another one now, or would be after a restart.
    void tell(context& x, const configuration& fresh) const;
    void give(unsigned shard, const server_settings& fresh, bool tokens);

    // What it tells of itself (daemon_metrics.cpp).
    task<std::string> backlog() const;
    shard_numbers numbers_of(unsigned shard) const;
    task<std::string> metrics();
    /// Services and destinations that flows name get rows of their own in the metrics, up to a limit;
    /// services keep them.
    void name_rows();
    task<shard_numbers> tell_numbers(unsigned shard) const { co_return numbers_of(shard); }

    const configuration& how_;  ///< what the process was started with
    configuration running_;     ///< how_, and of later ones what is taken at once
    std::vector<std::string> services_;
    std::function<loaded()> load_again_;
    const storage::registry& stores_;
    service_manager manager_;
    logger log_;
    const unsigned shards_;
    request_rate rate_;        ///< of reading the stream
    request_rate check_rate_;  ///< of trying credentials out
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
    std::shared_ptr<stages::cut_plan> plan_{};  ///< of the layout "batch"
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

}  // namespace firehose::app
