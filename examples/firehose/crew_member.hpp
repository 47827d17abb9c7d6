/// A shard of `run` besides the first: delivers parts of files that the first one hands it.
#pragma once
#include "examples/firehose/input_delivery.hpp"
#include "pipeline/scope.hpp"
#include "stages/account.hpp"
#include "storage/registry.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace firehose::app {

/// Lives around all shards. Its own shard runs run(); the first one asks by call_on(), so that deliver() and
/// end() run on its shard too. It must be ended before the first shard's spool goes.
class crew_member {
public:
    /// `books` get a copy of this shard's, on the first shard, a few times a second and after each part.
    crew_member(const configuration& how, const storage::registry& stores, storage::file_system& files,
                unsigned shares, logger log, stages::account& books)
        : how_(how), stores_(stores), delivery_(how, files, shares, log), books_(books) {}

    /// The root of its shard, made before any shard runs: until end(), or cancelled.
    task<> run(context& x, executor first);

    /// False also when this shard has failed, or ended before the part was through.
    task<bool> deliver(input_part what, const stages::workbench* home);
    /// Returns when nothing of this shard uses the first one's spool any more.
    task<bool> end();

private:
    struct at_work;
    task<> work_until_the_end(context& x);
    task<> work(task_scope& s, context& x);
    task<> tell_books(context& x);
    void post_books();

    const configuration& how_;
    const storage::registry& stores_;
    input_delivery delivery_;
    stages::account& books_;  ///< of the first shard
    std::optional<executor> first_{};
    std::unique_ptr<stages::workbench> bench_{};
    const stages::workbench* home_ = nullptr;  ///< of the first shard
    std::optional<input_part> next_{};
    std::optional<bool> answer_{};
    bool wanted_ = true;
    bool working_ = true;
    std::unique_ptr<wait_queue> changed_{};
};

}  // namespace firehose::app
