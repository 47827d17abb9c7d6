#include "stages/keep.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>

#include <exception>

namespace firehose::stages {
namespace {

std::vector<spool_entry> entries_of_live(std::vector<delivery_job>& jobs) {
    std::vector<spool_entry> entries;
    entries.reserve(jobs.size());
    for (auto& job : jobs) {
        if (!job.from_spool()) entries.push_back(job.entry());
    }
    return entries;
}

void finish_live(delivery& shared, std::vector<delivery_job>& jobs, const result<>& kept, standing where) {
    if (!kept)
        shared.shard().log.error("the spool refused events; they were not accepted",
                                 {{"reason", kept.error().context()}});
    for (auto& job : jobs) {
        if (!job.from_spool()) job.finish(kept ? where : standing::lost);
    }
}

/// Carries `work` out to its end although the caller is cancelled; the caller sees that at its next wait.
/// No cancellation reaches the work: what was promised must still get to the disk.
task<> to_the_end(executor ex, task<> work) {
    const bool saved = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    bool done = false;
    std::exception_ptr failure;
    wait_queue finished(ex);
    // What it refers to lives in this frame, which stays until `done`.
    auto report = [&done, &failure, &finished](std::exception_ptr e) {
        failure = std::move(e);
        done = true;
        finished.wake_all();
    };
    asio::co_spawn(ex, std::move(work), report);
    while (!done) {
        error_code interrupted;
        auto quiet = asio::redirect_error(use_task, interrupted);
        co_await finished.async_wait(quiet);
    }
    co_await asio::this_coro::throw_if_cancelled(saved);
    if (failure) std::rethrow_exception(failure);
}

task<> settle_whole(delivery& shared, delivery_job& job, const settlement& what, standing where) {
    const auto settled = co_await shared.spool().settle(job.lease(), what);
    if (!settled)
        shared.shard().log.error(
            "the spool could not record an outcome; the record is sent again after a restart",
            {{"reason", settled.error().context()}});
    // A record that could not be moved to the dead letters is where it was.
    const bool moved = settled || where != standing::parked;
    job.finish(moved ? where : standing::spooled);
}

task<> spool_whole(delivery& shared, std::vector<delivery_job>& jobs) {
    const auto entries = entries_of_live(jobs);
    if (!entries.empty()) {
        const auto kept = co_await shared.spool().append(entries);
        finish_live(shared, jobs, kept, standing::spooled);
    }
    const settlement nothing_tried = released{};
    for (auto& job : jobs) {
        if (!job.finished()) co_await settle_whole(shared, job, nothing_tried, standing::spooled);
    }
}

task<> park_whole(delivery& shared, std::vector<delivery_job>& jobs) {
    const auto entries = entries_of_live(jobs);
    if (!entries.empty()) {
        const auto kept = co_await shared.spool().park(entries);
        finish_live(shared, jobs, kept, standing::parked);
    }
    for (auto& job : jobs) {
        if (job.finished()) continue;
        const settlement hopeless = parked{describe_failure(job.why())};
        co_await settle_whole(shared, job, hopeless, standing::parked);
    }
}

}  // namespace

task<> spool_jobs(delivery& shared, std::vector<delivery_job>& jobs) {
    return to_the_end(shared.shard().ex, spool_whole(shared, jobs));
}

task<> park_jobs(delivery& shared, std::vector<delivery_job>& jobs) {
    return to_the_end(shared.shard().ex, park_whole(shared, jobs));
}

task<> settle_job(delivery& shared, delivery_job& job, const settlement& what, standing where) {
    return to_the_end(shared.shard().ex, settle_whole(shared, job, what, where));
}

}  // namespace firehose::stages
