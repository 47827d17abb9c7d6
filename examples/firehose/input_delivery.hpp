/// From one input, or a part of a file, to the destinations: the pipelines of `run` on one shard.
#pragma once
#include "examples/firehose/config.hpp"
#include "stages/cut_plan.hpp"
#include "stages/ingest_lines.hpp"
#include "stages/line_ranges.hpp"
#include "stages/workbench.hpp"
#include "storage/file_system.hpp"

#include <memory>
#include <optional>
#include <string>

namespace firehose::app {

/// A part of a file. The first part's plan is open already, the others have theirs beside it.
struct input_part {
    std::string input{};  ///< path; "-" is standard input
    stages::line_range range{};
    std::optional<std::string> identity{};  ///< of an input that can be read again
};

/// Single shard; one for each. The configuration and the files outlive it.
class input_delivery {
public:
    /// `shares`: how many of these run at a time, and share the memory for batches.
    input_delivery(const configuration& how, storage::file_system& files, unsigned shares, logger log)
        : how_(how), files_(files), shares_(shares), log_(std::move(log)) {}

    /// False when something was neither delivered nor kept, or the part could not be read to its end; the
    /// log says what. `plan` may be empty: then it is opened, in the layout "batch".
    task<bool> deliver(input_part what, std::shared_ptr<stages::cut_plan> plan,
                       const stages::workbench& bench, context& x) const;
    task<bool> deliver(stages::ingest_stream::options stream, const stages::workbench& bench,
                       context& x) const;

private:
    stages::normalize_config::options routing_of(const stages::workbench& bench,
                                                 stages::refusal_sink refused) const;
    stages::refusal_sink refusals_of(const std::string& name) const;
    task<result<std::shared_ptr<stages::cut_plan>>> plan_of(input_part what, context& x) const;
    template <class Source>
    task<> deliver_events(Source source, stages::normalize_config::options routing,
                          std::shared_ptr<stages::cut_plan> plan, const stages::workbench& bench,
                          context& x) const;

    const configuration& how_;
    storage::file_system& files_;
    const unsigned shares_;
    logger log_;
};

}  // namespace firehose::app
