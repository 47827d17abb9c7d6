/// firehose run: one shot. Deliver the input, try what is spooled once, close the books.
#include "pipeline/run.hpp"
#include "examples/firehose/batch_config.hpp"
#include "examples/firehose/bench_options.hpp"
#include "examples/firehose/closing_account.hpp"
#include "examples/firehose/console.hpp"
#include "examples/firehose/crew_member.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/verbs.hpp"
#include "pipeline/call_on.hpp"
#include "pipeline/scope.hpp"
#include "stages/input_identity.hpp"
#include "stages/reference.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <fcntl.h>
#include <functional>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace firehose::app {
namespace {

/// Everything that can be wrong with the inputs before anything is delivered.
bool inputs_can_be_read(const std::vector<std::string>& inputs) {
    bool all = true;
    for (const auto& path : inputs) {
        if (path == "-") continue;
        struct stat about{};
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        const int failed = fd < 0 || ::fstat(fd, &about) != 0 ? errno : S_ISDIR(about.st_mode) ? EISDIR : 0;
        if (fd >= 0) ::close(fd);
        if (!failed) continue;
        std::fprintf(stderr, "error: input %s: %s\n", escape_for_log(path).c_str(), std::strerror(failed));
        all = false;
    }
    return all;
}

/// One run. Lives on the stack of run_verb(), around the shards. The first shard has the spool and hands
/// parts of large files to the others.
class one_shot {
public:
    one_shot(const configuration& how, const storage::registry& stores, std::vector<std::string> inputs,
             std::vector<pull_settings> streams, logger log)
        : how_(how),
          stores_(stores),
          inputs_(std::move(inputs)),
          streams_(std::move(streams)),
          log_(log),
          shards_(shards_for(how, inputs_)),
          delivery_(how, files_, shards_, std::move(log)),
          crew_books_(shards_ - 1) {
        for (auto& books : crew_books_)
            crew_.push_back(std::make_unique<crew_member>(how, stores, files_, shards_, log_, books));
    }

    unsigned shards() const noexcept { return shards_; }

    /// Called for one shard after the other, before any of them runs.
    task<> run(unsigned shard, context& x, const std::vector<executor>& all) {
        all_ = all;
        if (shard > 0) return crew_[shard - 1]->run(x, all.front());
        return with_scope(x.ex, [this, &x](task_scope& s) { return with_progress(s, x); });
    }

    int finish(const run_report& report, bool json) const {
        clear_progress();
        if (report.how == ending::failed) log_.error("the run failed", {{"reason", report.what}});
        if (!spool_problem_.empty()) return exit_code::usage;  // nothing was accepted
        if (json)
            std::printf("%s\n", to_json(closed_).c_str());
        else
            std::printf("%s%s", to_table(closed_).c_str(), where_to_look().c_str());
        const bool broken = report.how == ending::failed || report.how == ending::cancelled || failed_;
        return broken ? exit_code::internal : exit_code_of(closed_);
    }

private:
    /// No more than the largest input has parts for, and the batches' memory has room for.
    static unsigned shards_for(const configuration& all, const std::vector<std::string>& inputs) {
        const auto& how = all.run;
        auto wanted = how.shards != 0 ? how.shards : std::max(1U, std::thread::hardware_concurrency());
        if (all.batch) {
            const auto each = std::min(all.batch->bytes, all.batch->in_memory);
            const auto room = std::max<std::size_t>(1, all.batch->memory / (2 * each));
            wanted = static_cast<unsigned>(std::min<std::size_t>(wanted, room));
        }
        std::size_t most = 1;
        for (const auto& input : inputs)
            most = std::max(most, starts_in(input, wanted, how.shard_bytes).size());
        return static_cast<unsigned>(most);
    }

    static std::vector<std::uint64_t> starts_in(const std::string& input, unsigned shards,
                                                std::size_t shard_bytes) {
        const auto size = input == "-" ? 0 : stages::size_in_parts(input);
        return stages::starts_of_parts(size, shards, shard_bytes);
    }

    task<> with_progress(task_scope& s, context& x) {
        co_await deliver(s, x);
        s.cancel();
    }

    task<> deliver(task_scope& s, context& x) {
        const auto begun = x.time.now();
        auto opened = co_await stages::workbench::open(x, bench_options(how_, stores_));
        if (!opened) {
            spool_problem_ = opened.error().context();
            x.log.error("the spool cannot be opened, so nothing is accepted", {{"reason", spool_problem_}});
            co_await end_crew();
            co_return;
        }
        const auto& bench = **opened;
        s.spawn(show_progress(x, [this, books = bench.books()] { return all_books(*books); }));
        // However it ends, cancelled too: what was accepted is in the books, and nobody uses the spool.
        std::exception_ptr interrupted;
        try {
            co_await deliver_all(bench, x);
        } catch (...) {
            interrupted = std::current_exception();
        }
        co_await asio::this_coro::throw_if_cancelled(false);  // or end_crew() would not be waited for
        co_await end_crew();
        co_await asio::this_coro::throw_if_cancelled(true);
        closed_ = close_books(all_books(*bench.books()), how_.services, bench.spool().contents(), begun,
                              x.time.now());
        if (interrupted) std::rethrow_exception(interrupted);
    }

    task<> end_crew() {
        for (unsigned i = 1; i < shards_; ++i) {
            std::function<task<bool>()> end = [&member = *crew_[i - 1]] { return member.end(); };
            auto ended = call_on<bool>(all_[i], std::move(end));
            co_await std::move(ended);
        }
    }

    stages::account all_books(const stages::account& own) const {
        auto sum = own;
        for (const auto& books : crew_books_) sum.add(books);
        return sum;
    }

    task<> deliver_all(const stages::workbench& bench, context& x) {
        co_await deliver_sources(bench, x);
        if (!x.stop.draining() && !failed_) {
            bench.delivery()->probe_all();
            auto again = stages::retry_pass(bench.delivery(), how_.unspool);
            co_await again.run(x);
        }
    }

    /// The files one after the other, the streams beside them.
    task<> deliver_sources(const stages::workbench& bench, context& x) {
        return with_scope(x.ex, [this, &bench, &x](task_scope& s) {
            s.spawn(deliver_files(bench, x));
            for (const auto& stream : streams_) s.spawn(deliver_stream(stream.of_run(), bench, x));
        });
    }

    task<> deliver_stream(stages::ingest_stream::options stream, const stages::workbench& bench, context& x) {
        const bool good = co_await delivery_.deliver(std::move(stream), bench, x);
        failed_ = failed_ || !good;
    }

    task<> deliver_files(const stages::workbench& bench, context& x) {
        for (const auto& input : inputs_) {
            if (x.stop.draining() || failed_) break;
            co_await deliver_file(input, bench, x);
        }
    }

    task<> deliver_file(std::string input, const stages::workbench& bench, context& x) {
        auto starts = starts_in(input, shards_, how_.run.shard_bytes);
        const auto identity = input == "-" ? std::nullopt : stages::identity_of_file(input);
        std::shared_ptr<stages::cut_plan> plan;
        if (how_.batch && identity) {
            auto opened = co_await stages::cut_plan::open(x, files_, how_.data_dir, *identity, input, starts);
            if (!opened) {
                failed_ = true;
                x.log.error("the plan of the input cannot be opened, so nothing of it is accepted",
                            {{"input", input}, {"reason", opened.error().context()}});
                co_return;
            }
            plan = std::move(*opened);
            starts = plan->starts();  // of the first run, so that its objects come out again
        }
        part_list parts;
        for (const auto& range : stages::ranges_from(starts)) parts.left.push_back({input, range, identity});
        const auto first = parts.take();
        auto all = with_scope(x.ex, [this, &first, &parts, &plan, &bench, &x](task_scope& s) {
            for (unsigned i = 1; i < shards_; ++i) s.spawn(hand_out(parts, i, bench, x));
            return take_parts(first, plan, parts, bench, x);
        });
        co_await std::move(all);
    }

    struct part_list {
        std::deque<input_part> left{};

        input_part take() {
            auto next = std::move(left.front());
            left.pop_front();
            return next;
        }
    };

    /// This shard's share: the first part, whose plan is open, and what is left then.
    task<> take_parts(input_part part, std::shared_ptr<stages::cut_plan> plan, part_list& parts,
                      const stages::workbench& bench, context& x) {
        for (;;) {
            const bool good = co_await delivery_.deliver(std::move(part), std::move(plan), bench, x);
            failed_ = failed_ || !good;
            if (parts.left.empty() || x.stop.draining() || failed_) co_return;
            part = parts.take();
            plan.reset();
        }
    }

    task<> hand_out(part_list& parts, unsigned shard, const stages::workbench& bench, context& x) {
        while (!parts.left.empty() && !x.stop.draining() && !failed_) {
            std::function<task<bool>()> there = [&member = *crew_[shard - 1], part = parts.take(),
                                                 home = &bench] { return member.deliver(part, home); };
            auto delivered = call_on<bool>(all_[shard], std::move(there));
            const bool good = co_await std::move(delivered);
            failed_ = failed_ || !good;
        }
    }

    std::string where_to_look() const {
        std::string text;
        for (const auto& [name, t] : closed_.targets)
            if (t.spooled || t.parked)
                text = "Look at what is kept: firehose spool ls; what is spooled is tried again by the next "
                       "run.\n";
        return text;
    }

    const configuration& how_;
    const storage::registry& stores_;
    storage::system_files files_{};
    std::vector<std::string> inputs_;
    std::vector<pull_settings> streams_;
    logger log_;
    unsigned shards_;
    input_delivery delivery_;
    std::vector<stages::account> crew_books_;
    std::vector<std::unique_ptr<crew_member>> crew_{};
    std::vector<executor> all_{};
    closing_account closed_{};
    std::string spool_problem_{};
    bool failed_ = false;
};

}  // namespace

int run_verb(const run_arguments& args) {
    const auto stores = storage::default_registry();
    const auto configured = load_configuration(args.config, args.overrides, stores);
    if (!print_faults(args.config, configured)) return exit_code::usage;
    auto inputs = args.inputs.empty() ? configured.what.inputs : args.inputs;
    auto streams = args.inputs.empty() ? configured.what.streams : std::vector<pull_settings>();
    if (inputs.empty() && streams.empty()) {
        std::fputs("error: no input: name files, or - for standard input, or sources in the configuration\n",
                   stderr);
        return exit_code::usage;
    }
    if (!inputs_can_be_read(inputs)) return exit_code::usage;

    run_options options;
    options.log = console_log();
    one_shot job(configured.what, stores, std::move(inputs), std::move(streams), options.log);
    options.blocking_threads = std::max(8U, 2 * job.shards());
    if (configured.what.batch) options.queue_bytes = edge_bytes_before_gather;
    const auto root = [&job](unsigned shard, context& x, const std::vector<executor>& all) {
        return job.run(shard, x, all);
    };
    const auto report = firehose::run_sharded(job.shards(), root, options);
    return job.finish(report, args.json);
}

}  // namespace firehose::app
