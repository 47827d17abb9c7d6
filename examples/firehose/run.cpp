/// firehose run: one shot. Deliver the input, try what is spooled once, close the books.
#include "pipeline/run.hpp"
#include "examples/firehose/bench_options.hpp"
#include "examples/firehose/closing_account.hpp"
#include "examples/firehose/console.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/pulling.hpp"
#include "examples/firehose/verbs.hpp"
#include "pipeline/scope.hpp"
#include "stages/ingest_lines.hpp"
#include "stages/input_identity.hpp"
#include "stages/reference.hpp"
#include "stages/workbench.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <limits>
#include <optional>
#include <sys/stat.h>
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

/// One run. Lives on the stack of run_verb(), around the shard.
class one_shot {
public:
    one_shot(const configuration& how, const storage::registry& stores, std::vector<std::string> inputs,
             std::vector<pull_settings> streams, logger log)
        : how_(how),
          stores_(stores),
          inputs_(std::move(inputs)),
          streams_(std::move(streams)),
          log_(std::move(log)) {}

    task<> run(context& x) {
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
            co_return;
        }
        const auto& bench = **opened;
        books_ = bench.books();
        s.spawn(show_progress(x, books_));
        // However it ends, cancelled too: what was accepted is in the books.
        std::exception_ptr interrupted;
        try {
            co_await deliver_all(bench, x);
        } catch (...) {
            interrupted = std::current_exception();
        }
        closed_ = close_books(*books_, how_.services, bench.spool().contents(), begun, x.time.now());
        if (interrupted) std::rethrow_exception(interrupted);
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

    task<> deliver_files(const stages::workbench& bench, context& x) {
        for (const auto& input : inputs_) {
            if (x.stop.draining() || failed_) break;
            co_await deliver_input(input, bench, x);
        }
    }

    task<> deliver_stream(stages::ingest_stream::options stream, const stages::workbench& bench, context& x) {
        const auto name = stream.name;
        if (how_.batch) unbounded(stream);
        stages::ingest_stream source(files_, std::move(stream));
        const auto outcome = source.outcome();
        auto routing = routing_of(bench, name);
        if (how_.batch)
            co_await run_batches(std::nullopt, std::move(source), std::move(routing), bench, x);
        else
            co_await run_events(std::move(source), std::move(routing), bench, x);
        const bool wrong = report_stream(x.log, name, *outcome);
        failed_ = failed_ || wrong;
    }

    /// What is refused is logged by the name of its input.
    stages::normalize_config::options routing_of(const stages::workbench& bench,
                                                 const std::string& name) const {
        auto routing = bench.routing();
        routing.shape = how_.shape;
        routing.routing = std::make_shared<const stages::routing_table>(how_.routing);
        routing.refused = refusals_of(name);
        return routing;
    }

    stages::refusal_sink refusals_of(const std::string& name) const {
        return [this, name](const stages::refusal& r) {
            log_.warning("refused a line",
                         {{"input", name}, {"line", r.line}, {"offset", r.offset}, {"reason", r.reason}});
        };
    }

    task<> deliver_input(const std::string& input, const stages::workbench& bench, context& x) {
        const auto name = input == "-" ? std::string("standard input") : input;
        stages::ingest_lines::options lines;
        lines.max_line = how_.max_event_bytes;
        lines.books = books_;
        lines.refused = refusals_of(name);
        if (how_.batch) unbounded(lines);
        stages::ingest_lines source(input, lines);
        const auto outcome = source.outcome();

        auto routing = routing_of(bench, name);
        if (how_.batch)
            co_await run_batches(input, std::move(source), std::move(routing), bench, x);
        else
            co_await run_events(std::move(source), std::move(routing), bench, x);

        if (outcome->failure.empty() && !outcome->lost) co_return;
        failed_ = true;
        if (!outcome->failure.empty()) x.log.error("input ended early", {{"reason", outcome->failure}});
        if (outcome->lost)
            x.log.error("some events could be neither delivered nor kept; run again with the same input",
                        {{"input", name}});
    }

    template <class Source>
    task<> run_events(Source source, stages::normalize_config::options routing,
                      const stages::workbench& bench, context& x) {
        auto pipeline = stages::reference_pipeline(std::move(source), std::move(routing), bench.delivery(),
                                                   how_.services);
        co_await pipeline.run(x);
    }

    /// What is gathered has no verdict before its object has one: gather() bounds it, not the source.
    template <class Options> static void unbounded(Options& source) {
        source.max_in_flight = std::numeric_limits<std::size_t>::max();
        source.max_in_flight_bytes = std::numeric_limits<std::size_t>::max();
    }

    /// `input`: the file that may be read again, if it is one.
    template <class Source>
    task<> run_batches(std::optional<std::string> input, Source source,
                       stages::normalize_config::options routing, const stages::workbench& bench,
                       context& x) {
        stages::gather::options batch;
        batch.how = *how_.batch;
        auto identity = input && *input != "-" ? stages::identity_of_file(*input) : std::nullopt;
        if (identity) {
            auto plan =
                co_await stages::cut_plan::open(x, files_, how_.data_dir, std::move(*identity), *input);
            if (!plan) {
                failed_ = true;
                x.log.error("the plan of the input cannot be opened, so nothing of it is accepted",
                            {{"input", *input}, {"reason", plan.error().context()}});
                co_return;
            }
            batch.plan = std::move(*plan);
        }
        auto pipeline = stages::batch_pipeline(std::move(source), std::move(routing), std::move(batch),
                                               bench.delivery(), how_.services);
        co_await pipeline.run(x);
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
    std::shared_ptr<stages::account> books_{};
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
    options.blocking_threads = 8;
    one_shot job(configured.what, stores, std::move(inputs), std::move(streams), options.log);
    const auto report = firehose::run([&job](context& x) { return job.run(x); }, options);
    return job.finish(report, args.json);
}

}  // namespace firehose::app
