/// Attempts at a store, each of which ends, whatever the store does. Internal to stages: not installed.
#pragma once
#include "pipeline/scope.hpp"
#include "stages/delivery_job.hpp"

#include <boost/intrusive/list.hpp>

#include <chrono>
#include <optional>

namespace firehose::stages {

/// A store that keeps its contract answers before its deadline. One that does not would hold the event, a
/// permit and the end of the pipeline for ever: its attempts are given up soon after. Single shard; watch()
/// runs beside the attempts and ends after them.
class watched_attempts {
public:
    explicit watched_attempts(context& x) : x_(x), changed_(x.ex) {}

    /// One attempt; of a body in a file, `timeout` is each part's. Nothing when it was cancelled: the outcome
    /// at the store is unknown then.
    task<std::optional<result<storage::object_info>>> put(lane& to, delivery_job& job,
                                                          std::chrono::milliseconds timeout);

    /// Gives up what is overdue, until cancelled. All attempts have the same timeout.
    task<> watch();

private:
    using hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

    /// One attempt under way. Its scope is there from its start to its end.
    struct attempt : hook {
        attempt(lane& l, delivery_job& j, time_source::steady deadline, std::chrono::milliseconds each)
            : to(l), job(j), until(deadline), timeout(each) {}
        lane& to;
        delivery_job& job;
        time_source::steady until;
        std::chrono::milliseconds timeout;
        task_scope* scope = nullptr;
        bool expired = false;
        std::optional<result<storage::object_info>> answer{};
    };

    task<> bounded(attempt& one);
    task<> put_into(attempt& one);
    static task<result<storage::object_info>> put_bytes(storage::store& to, attempt& one);
    task<result<storage::object_info>> put_file(std::shared_ptr<storage::store> by, attempt& one);
    void note_answer(attempt& one);

    context& x_;
    boost::intrusive::list<attempt, boost::intrusive::constant_time_size<false>> under_way_;  // by `until`
    wait_queue changed_;
};

}  // namespace firehose::stages
