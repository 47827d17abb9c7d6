/// What every spool must do, as one coroutine that returns the broken promises in words.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/spool_backend.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace firehose::contract {

struct spool_options {
    /// Ends the spool and opens what it left behind, as after a kill; null for one that keeps nothing. The
    /// spool that was handed to check_spool() is not used afterwards.
    std::function<task<stages::spool_backend*>()> reopen{};
    /// Lets time pass between two steps; null when the clock moves by itself.
    std::function<void()> pass_time{};
    /// False for one that does not see a record's destination before taking it.
    bool skips_destinations = true;
    /// False for one that knows how many records it has and no more; then only sums are checked.
    bool tells_destinations_apart = true;
    /// True for one in which a record that is not due cannot be seen, whatever `due_before` says. Then the
    /// suite sleeps until it is, by the context's time.
    bool hides_until_due = false;
    /// How far ahead the suite schedules what is not due.
    std::chrono::seconds later = std::chrono::hours(1);
};

/// Tries an empty spool and says what it did wrong, one sentence each; none when it keeps the contract of
/// stages/spool_backend.hpp. Leaves it empty but for dead letters. Needs no test framework:
///
///     auto broken = co_await firehose::contract::check_spool(spool, x, how);
///     for (auto& sentence : broken) std::cerr << sentence << "\n";
task<std::vector<std::string>> check_spool(stages::spool_backend& s, context& x, spool_options how);

}  // namespace firehose::contract
