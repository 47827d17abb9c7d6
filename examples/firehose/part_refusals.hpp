/// Line numbers of what a part of a file refuses: counted from the beginning of the file.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/normalize_config.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firehose::app {

/// A part knows its lines' offsets but not how many lines lie before it. Those are counted when the first
/// line is refused, and only then, off the shard. Single shard.
class part_refusals {
public:
    part_refusals(context& x, std::string path, std::uint64_t begin, stages::refusal_sink to);

    /// May be copied; refers to this object.
    stages::refusal_sink sink();

    /// Passes on what was refused, until end_with() is through. If the lines before cannot be counted, the
    /// log says so and the numbers are the part's own.
    task<> tell();
    /// Runs `work`; then tell() ends.
    task<> end_with(task<> work);

private:
    context& x_;
    const std::string path_;
    const std::uint64_t begin_;
    stages::refusal_sink to_;
    std::optional<std::uint64_t> before_{};
    std::vector<stages::refusal> waiting_{};
    bool ended_ = false;
    wait_queue changed_;
};

}  // namespace firehose::app
