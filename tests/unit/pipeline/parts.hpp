/// Small parts for the tests of composition, and the books that must balance at the end.
#pragma once
#include "pipeline/pipeline.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace firehose::test {

inline std::ostream& operator<<(std::ostream& out, ending how) { return out << to_string(how); }

/// Every batch a test hands out is entered here and must come back with one verdict.
struct ledger {
    std::size_t opened = 0;
    std::array<std::size_t, 4> verdicts{};

    ack_token open() {
        ++opened;
        return ack_token([this](outcome what) { ++verdicts[static_cast<std::size_t>(what)]; });
    }
    std::size_t of(outcome what) const { return verdicts[static_cast<std::size_t>(what)]; }
    std::size_t answered() const { return std::accumulate(verdicts.begin(), verdicts.end(), std::size_t{0}); }
    bool balanced() const { return opened == answered(); }
};

inline batch<int> one_batch(ledger& books, std::vector<int> items, std::size_t bytes = 100) {
    return batch<int>(std::move(items), bytes, books.open());
}

/// `count` batches of `size` consecutive numbers. Ends early when nobody listens.
struct numbers {
    using output_type = int;
    ledger* books;
    int count = 10;
    int size = 1;
    std::size_t bytes = 100;

    task<> run(sender<int> out, context&) {
        int next = 0;
        for (int i = 0; i < count; ++i) {
            std::vector<int> items(static_cast<std::size_t>(size));
            std::iota(items.begin(), items.end(), next);
            next += size;
            auto b = one_batch(*books, std::move(items), bytes);
            const bool taken = co_await out.push(b);
            if (!taken) co_return;
        }
    }
};

/// Sends one batch of one number, then waits, for each step.
struct paced_numbers {
    using output_type = int;
    ledger* books;
    int count = 10;
    std::chrono::milliseconds pause{10};
    std::size_t bytes = 100;

    task<> run(sender<int> out, context& x) {
        for (int i = 0; i < count; ++i) {
            auto b = one_batch(*books, std::vector<int>(1, i), bytes);
            const bool taken = co_await out.push(b);
            if (!taken) co_return;
            const auto wake = x.time.now() + pause;
            co_await x.time.sleep_until(wake);
        }
    }
};

/// Never ends on its own; obeys the drain.
struct endless_numbers {
    using output_type = int;
    ledger* books;
    std::chrono::milliseconds pause{10};

    task<> run(sender<int> out, context& x) {
        for (int i = 0; !x.stop.draining(); ++i) {
            auto b = one_batch(*books, std::vector<int>(1, i));
            const bool taken = co_await out.push(b);
            if (!taken) co_return;
            const auto wake = x.time.now() + pause;
            co_await x.time.sleep_until(wake);
        }
    }
};

/// Writes down what it got, one vector per batch, and answers.
template <class T> struct collecting {
    using input_type = T;
    std::vector<std::vector<T>>* got;
    outcome answer = outcome::stored;

    task<> run(receiver<T> in, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            got->push_back(b->items());
            b->take_ack().resolve(answer);
        }
    }
};

/// Takes one batch per `pause`.
struct slow_sink {
    using input_type = int;
    std::chrono::milliseconds pause{10};
    int* taken;

    task<> run(receiver<int> in, context& x) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            const auto wake = x.time.now() + pause;
            co_await x.time.sleep_until(wake);
            ++*taken;
            b->take_ack().resolve(outcome::stored);
        }
    }
};

/// Never takes anything.
struct stuck_sink {
    using input_type = int;
    task<> run(receiver<int> in, context& x) {
        const receiver<int> kept = std::move(in);
        channel<int> never(x.ex, 1);
        co_await never.receive();
    }
};

/// Throws at the batch that contains `at`, `times` times; afterwards it stores everything.
struct failing_sink {
    using input_type = int;
    int at;
    int* failures_left;
    std::vector<int>* got;

    task<> run(receiver<int> in, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            for (const int item : b->items()) {
                if (item >= at && *failures_left > 0) {
                    --*failures_left;
                    throw std::runtime_error("bad disk");
                }
                got->push_back(item);
            }
            b->take_ack().resolve(outcome::stored);
        }
    }
};

/// A stage with a coroutine: passes everything on.
struct passing {
    using input_type = int;
    using output_type = int;

    task<> run(receiver<int> in, sender<int> out, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            const bool taken = co_await out.push(*b);
            if (!taken) co_return;
        }
    }
};

template <class T> std::vector<T> flatten(const std::vector<std::vector<T>>& parts) {
    std::vector<T> all;
    for (const auto& p : parts) all.insert(all.end(), p.begin(), p.end());
    return all;
}

inline std::vector<int> upto(int n) {
    std::vector<int> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

}  // namespace firehose::test
