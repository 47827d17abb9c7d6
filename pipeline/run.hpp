/// Runs a pipeline as a process does: signals, drain deadline, cancellation, and a report at the end.
#pragma once
#include "pipeline/stage.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace firehose {

struct run_options {
    logger log{};
    std::chrono::milliseconds drain_deadline{30'000};  ///< from the request to drain to cancellation
    std::size_t blocking_threads = 4;
    std::size_t queue_bytes = 4 << 20;
    bool handle_signals = true;    ///< first SIGINT or SIGTERM drains, the second cancels
    time_source* time = nullptr;   ///< the system's when null; used by all shards
    randomness* random = nullptr;  ///< the system's when null; used by all shards
};

/// finished: the input ended. drained: stopped on request, nothing abandoned. cancelled: what was in
/// hand was abandoned and reported `lost`. failed: `what` says why.
enum class ending : std::uint8_t { finished, drained, cancelled, failed };

std::string_view to_string(ending how) noexcept;

struct run_report {
    ending how = ending::finished;
    std::string what{};
    std::map<std::string, std::uint64_t> counters{};  ///< of all shards, added up
};

namespace detail {

using root_maker = std::function<task<>(unsigned shard, context&, const std::vector<executor>& all)>;
run_report run_shards(unsigned shards, const root_maker& make, const run_options& options);

/// The pipeline lives in this frame, as long as it runs.
template <class Pipeline> task<> run_owned(Pipeline pipeline, context& x) { co_await pipeline.run(x); }

template <class Made> task<> as_task(Made made, context& x) {
    if constexpr (std::is_same_v<Made, task<>>) {
        return made;
    } else {
        static_assert(runnable<Made>,
                      "firehose: run() needs a whole pipeline, source | ... | sink, or a task<>");
        return run_owned(std::move(made), x);
    }
}

}  // namespace detail

/// make(context&) returns a whole pipeline (source | ... | sink) or a task<>; it is called once, before
/// anything runs. Returns when the pipeline has ended, however it ended: exceptions of the pipeline,
/// and of make, are reported, not thrown. x.stop may also be used to stop it from within.
template <class Make>
requires std::invocable<Make&, context&> run_report run(Make make, run_options options = {}) {
    const auto root = [&make](unsigned, context& x, const auto&) { return detail::as_task(make(x), x); };
    return detail::run_shards(1, root, options);
}

/// The same on `shards` threads: make(shard, context&) is called for one shard after the other before
/// any of them starts; make(shard, context&, all) is also given the executors of all shards, for a
/// reshard between them. Shard 0 owns the signals and posts the phases to the others; when one shard
/// fails the others drain.
template <class Make>
requires std::invocable<Make&, unsigned, context&> ||
         std::invocable<Make&, unsigned, context&, const std::vector<executor>&>
run_report run_sharded(unsigned shards, Make make, run_options options = {}) {
    const auto root = [&make](unsigned i, context& x, const std::vector<executor>& all) {
        if constexpr (std::invocable<Make&, unsigned, context&>)
            return detail::as_task(make(i, x), x);
        else
            return detail::as_task(make(i, x, all), x);
    };
    return detail::run_shards(shards, root, options);
}

}  // namespace firehose
