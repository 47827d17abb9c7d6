/// Runs a pipeline as a process does: signals, drain deadline, cancellation, and a report at the end.
#pragma once
#include "pipeline/stage.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

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

using root_of_shard = std::function<task<>(unsigned, context&)>;
run_report run_shards(unsigned shards, const root_of_shard& root, const run_options& options);

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

/// make(context&) returns a whole pipeline (source | ... | sink) or a task<>; it is called once the
/// context is ready. Returns when the pipeline has ended, however it ended: exceptions of the
/// pipeline, and of make, are reported, not thrown. x.stop may also be used to stop it from within.
template <class Make> run_report run(Make make, run_options options = {}) {
    return detail::run_shards(
        1, [&make](unsigned, context& x) { return detail::as_task(make(x), x); }, options);
}

/// The same on `shards` threads: make(shard, context&) is called once per shard, on its thread, all at
/// the same time. Shard 0 owns the signals and posts the phases to the others; when one shard fails the
/// others drain.
template <class Make> run_report run_sharded(unsigned shards, Make make, run_options options = {}) {
    return detail::run_shards(
        shards, [&make](unsigned i, context& x) { return detail::as_task(make(i, x), x); }, options);
}

}  // namespace firehose
