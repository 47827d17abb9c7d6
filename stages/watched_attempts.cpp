#include "stages/watched_attempts.hpp"

#include "stages/growing_object.hpp"
#include "storage/file_put.hpp"

namespace firehose::stages {
namespace {

/// How long after its deadline a store may still answer.
constexpr std::chrono::milliseconds patience{1'000};

}  // namespace

task<std::optional<result<storage::object_info>>> watched_attempts::put(lane& to, delivery_job& job,
                                                                        std::chrono::milliseconds timeout) {
    attempt one(to, job, x_.time.now() + timeout, timeout);
    under_way_.push_back(one);
    changed_.wake_all();
    auto whole = bounded(one);
    co_await std::move(whole);
    if (!one.answer && one.expired)
        one.answer =
            error(disposition::retry, storage::describe(to.to) + ": no answer within " +
                                          std::to_string(timeout.count()) + " ms; the request was given up");
    co_return std::move(one.answer);
}

/// In a scope of its own, so that the watch can end this attempt and no other.
task<> watched_attempts::bounded(attempt& one) {
    return with_scope(x_.ex, [this, &one](task_scope& s) {
        one.scope = &s;
        return put_into(one);
    });
}

task<> watched_attempts::put_into(attempt& one) {
    const auto store = one.to.store;
    if (!store) {
        one.answer = *one.to.unusable;
        co_return;
    }
    try {
        auto putting = one.job.file() ? put_file(store, one) : put_bytes(*store, one);
        auto put = co_await std::move(putting);
        one.answer = std::move(put);
    } catch (const boost::system::system_error& e) {
        if (e.code() != asio::error::operation_aborted) throw;
    }
}

task<result<storage::object_info>> watched_attempts::put_bytes(storage::store& to, attempt& one) {
    const storage::payload body{one.job.body()};
    const auto how = one.job.how();
    co_return co_await to.put(one.job.key(), body, how, one.until);
}

/// Takes as long as it takes: every answer is a sign of life.
task<result<storage::object_info>> watched_attempts::put_file(std::shared_ptr<storage::store> by,
                                                              attempt& one) {
    const auto how = one.job.how();
    storage::file_put_options options;
    options.parts = one.to.parts;
    options.request_timeout = one.timeout;
    options.answered = [this, &one] { note_answer(one); };
    options.room = &one.to.parts_in_memory;
    storage::begun_upload so_far;
    if (one.job.growing()) so_far = co_await one.job.growing()->take(one.to.to, by);
    note_answer(one);
    auto putting =
        storage::put_from_file(*by, x_, one.job.key(), *one.job.file(), how, options, std::move(so_far));
    co_return co_await std::move(putting);
}

void watched_attempts::note_answer(attempt& one) {
    if (one.expired) return;
    one.unlink();
    one.until = x_.time.now() + one.timeout;
    under_way_.push_back(one);
}

task<> watched_attempts::watch() {
    for (;;) {
        while (under_way_.empty()) co_await changed_.async_wait(use_task);
        const auto due = under_way_.front().until + patience;
        co_await x_.time.sleep_until(due);
        while (!under_way_.empty() && under_way_.front().until + patience <= x_.time.now()) {
            auto& one = under_way_.front();
            under_way_.pop_front();
            one.expired = true;
            one.scope->cancel();
        }
    }
}

}  // namespace firehose::stages
