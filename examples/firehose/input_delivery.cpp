#include "examples/firehose/input_delivery.hpp"

#include "examples/firehose/batch_config.hpp"
#include "examples/firehose/part_refusals.hpp"
#include "examples/firehose/pulling.hpp"
#include "pipeline/scope.hpp"
#include "stages/ingest_stream.hpp"
#include "stages/reference.hpp"

namespace firehose::app {

task<bool> input_delivery::deliver(input_part what, std::shared_ptr<stages::cut_plan> plan,
                                   const stages::workbench& bench, context& x) const {
    const auto name = what.input == "-" ? std::string("standard input") : what.input;
    if (how_.batch && what.identity && !plan) {
        auto opened = co_await plan_of(what, x);
        if (!opened) {
            x.log.error("the plan of the input cannot be opened, so nothing of it is accepted",
                        {{"input", name}, {"reason", opened.error().context()}});
            co_return false;
        }
        plan = std::move(*opened);
    }
    part_refusals refusals(x, what.input, what.range.begin, refusals_of(name));
    stages::ingest_lines::options lines;
    lines.max_line = how_.max_event_bytes;
    lines.books = bench.books();
    lines.refused = refusals.sink();
    lines.range = what.range;
    if (how_.batch) leave_bounds_to_gather(lines);
    stages::ingest_lines source(what.input, lines);
    const auto outcome = source.outcome();
    auto routing = routing_of(bench, refusals.sink());
    auto all = with_scope(x.ex, [&](task_scope& s) {
        s.spawn(refusals.tell());
        auto events = deliver_events(std::move(source), std::move(routing), std::move(plan), bench, x);
        return refusals.end_with(std::move(events));
    });
    co_await std::move(all);
    if (!outcome->failure.empty()) x.log.error("input ended early", {{"reason", outcome->failure}});
    if (outcome->lost)
        x.log.error("some events could be neither delivered nor kept; run again with the same input",
                    {{"input", name}});
    co_return outcome->failure.empty() && !outcome->lost;
}

task<bool> input_delivery::deliver(stages::ingest_stream::options stream, const stages::workbench& bench,
                                   context& x) const {
    const auto name = stream.name;
    if (how_.batch) leave_bounds_to_gather(stream);
    stages::ingest_stream source(files_, std::move(stream));
    const auto outcome = source.outcome();
    auto routing = routing_of(bench, refusals_of(name));
    co_await deliver_events(std::move(source), std::move(routing), nullptr, bench, x);
    const bool wrong = report_stream(x.log, name, *outcome);
    co_return !wrong;
}

stages::normalize_config::options input_delivery::routing_of(const stages::workbench& bench,
                                                             stages::refusal_sink refused) const {
    auto routing = bench.routing();
    routing.shape = how_.shape;
    routing.routing = std::make_shared<const stages::routing_table>(how_.routing);
    routing.refused = std::move(refused);
    return routing;
}

/// What is refused is logged by the name of its input.
stages::refusal_sink input_delivery::refusals_of(const std::string& name) const {
    return [this, name](const stages::refusal& r) {
        log_.warning("refused a line",
                     {{"input", name}, {"line", r.line}, {"offset", r.offset}, {"reason", r.reason}});
    };
}

task<result<std::shared_ptr<stages::cut_plan>>> input_delivery::plan_of(input_part what, context& x) const {
    auto identity = stages::cut_plan::identity_of_part(*what.identity, what.range.begin);
    co_return co_await stages::cut_plan::open(x, files_, how_.data_dir, std::move(identity), what.input);
}

template <class Source>
task<> input_delivery::deliver_events(Source source, stages::normalize_config::options routing,
                                      std::shared_ptr<stages::cut_plan> plan, const stages::workbench& bench,
                                      context& x) const {
    if (!how_.batch) {
        auto pipeline = stages::reference_pipeline(std::move(source), std::move(routing), bench.delivery(),
                                                   how_.services);
        co_await pipeline.run(x);
        co_return;
    }
    stages::gather::options batch;
    batch.how = *how_.batch;
    batch.how.memory /= shares_;
    batch.plan = std::move(plan);
    batch.files = bench.files();
    auto pipeline = stages::batch_pipeline(std::move(source), std::move(routing), std::move(batch),
                                           bench.delivery(), how_.services);
    co_await pipeline.run(x);
}

}  // namespace firehose::app
