#include "storage/multipart_upload.hpp"

#include "pipeline/backoff.hpp"
#include "pipeline/scope.hpp"
#include "storage/multipart_plan.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace firehose::storage {
namespace {

bool may_pass(const error& why) noexcept {
    return why.what() == disposition::retry || why.what() == disposition::slow_down;
}

/// A body in memory.
class bytes_at_hand final : public part_source {
public:
    explicit bytes_at_hand(const payload& body) : body_(body) {}
    std::uint64_t size() const noexcept override { return size_of(body_); }
    task<result<part>> read(byte_range which) override {
        part out;
        out.bytes = cut_out(body_, which);
        co_return std::move(out);
    }

private:
    const payload& body_;
};

class sending {
public:
    sending(multipart& upload, context& x, part_source& body, multipart_plan plan, int parts_there,
            time_source::steady deadline, const multipart_options& options)
        : upload_(upload),
          x_(x),
          body_(body),
          plan_(plan),
          deadline_(deadline),
          options_(options),
          next_(parts_there + 1) {}

    /// All parts; afterwards failure() says whether they are there.
    task<> send_parts() {
        const auto left = plan_.count - next_ + 1;
        const auto lanes = std::min(std::max(1, static_cast<int>(options_.parts.in_flight)), left);
        return with_scope(x_.ex, [this, lanes](task_scope& s) {
            for (int i = 0; i < lanes; ++i) s.spawn(lane());
        });
    }
    task<result<object_info>> complete() {
        for (int attempt = 1;; ++attempt) {
            auto done = co_await upload_.complete(request_deadline());
            note_answer();
            if (done.has_value()) co_return done;
            const auto wake = next_attempt(done.error(), attempt);
            const bool gone = done.error().provider_code() == no_such_upload;
            if (!wake || gone) co_return done;
            co_await x_.time.sleep_until(*wake);
        }
    }
    const std::optional<error>& failure() const noexcept { return failure_; }

private:
    task<> lane() {
        while (next_ <= plan_.count && !failure_) {
            const int number = next_++;
            co_await send_part(number);
        }
    }
    task<> send_part(int number) {
        const auto range = plan_.part(number);
        auto part = co_await body_.read(range);
        if (part.has_error()) {
            fail(part.error());
            co_return;
        }
        for (int attempt = 1; !failure_; ++attempt) {
            auto put = co_await upload_.put_part(number, part->bytes, request_deadline());
            note_answer();
            if (put.has_value()) co_return;
            const auto wake = next_attempt(put.error(), attempt);
            const bool gone = put.error().provider_code() == no_such_upload;
            if (!wake || gone) {
                fail(put.error());
                co_return;
            }
            co_await x_.time.sleep_until(*wake);
        }
    }
    void note_answer() const {
        if (options_.answered) options_.answered();
    }
    void fail(const error& why) {
        if (!failure_) failure_ = why;
    }
    time_source::steady request_deadline() const {
        if (!options_.request_timeout) return deadline_;
        return std::min(deadline_, x_.time.now() + *options_.request_timeout);
    }
    /// Nothing: no more of them.
    std::optional<time_source::steady> next_attempt(const error& why, int attempt) {
        const auto& how = options_.retries;
        if (!may_pass(why) || attempt >= how.attempts) return std::nullopt;
        auto wait = full_jitter(how.base, how.cap, static_cast<unsigned>(attempt - 1), x_.random.uniform());
        if (why.retry_after()) wait = std::max(wait, *why.retry_after());
        const auto wake = x_.time.now() + wait;
        const bool too_long = options_.request_timeout && wait > *options_.request_timeout;
        if (too_long || wake >= deadline_) return std::nullopt;
        return wake;
    }

    multipart& upload_;
    context& x_;
    part_source& body_;
    multipart_plan plan_;
    time_source::steady deadline_;
    const multipart_options& options_;
    int next_;
    std::optional<error> failure_{};
};

task<result<object_info>> send(sending& work) {
    co_await work.send_parts();
    if (work.failure()) co_return *work.failure();
    co_return co_await work.complete();
}

/// Runs beside the caller, whose own waits would end at once when it was cancelled.
task<> abort_apart(multipart& upload, executor ex) {
    try {
        auto aborting = asio::co_spawn(ex, upload.abort(), use_task);
        co_await std::move(aborting);
    } catch (const std::exception&) {
        // What is left there is the store's to forget; the reason why it was aborted counts.
    }
}

}  // namespace

task<result<object_info>> upload_in_parts(store& to, context& x, const std::string& key, const payload& body,
                                          const put_options& how, time_source::steady deadline,
                                          const multipart_options& options) {
    bytes_at_hand source(body);
    begun_upload none;
    auto sending = upload_in_parts(to, x, key, source, how, deadline, options, std::move(none));
    co_return co_await std::move(sending);
}

task<result<object_info>> upload_in_parts(store& to, context& x, const std::string& key, part_source& body,
                                          const put_options& how, time_source::steady deadline,
                                          const multipart_options& options, begun_upload so_far) {
    auto parts = options.parts;
    if (so_far.upload) parts.size = so_far.part_size;
    const auto plan = plan_parts(body.size(), to.can(), parts);
    if (!plan)
        co_return error(disposition::park, "upload of " + key + " in parts: it cannot be cut into any");
    const auto there = static_cast<std::uint64_t>(so_far.parts) * so_far.part_size;
    if (so_far.upload && (plan->part_size != so_far.part_size || there > plan->size)) {
        co_await abort_apart(*so_far.upload, x.ex);
        so_far = {};
    }
    std::unique_ptr<multipart> upload = std::move(so_far.upload);
    if (!upload && !options.resume.empty()) {
        auto resumed = co_await to.resume_multipart(key, options.resume, how, deadline);
        const bool gone = !resumed.has_value() && resumed.error().provider_code() == no_such_upload;
        if (!resumed.has_value() && !gone) co_return resumed.error();
        if (resumed.has_value()) upload = std::move(*resumed);
    }
    if (!upload) {
        auto until = deadline;
        if (options.request_timeout) until = std::min(until, x.time.now() + *options.request_timeout);
        auto started = co_await to.start_multipart(key, how, until);
        if (options.answered) options.answered();
        if (!started.has_value()) co_return started.error();
        upload = std::move(*started);
    }
    if (options.begun) options.begun(upload->token());

    sending work(*upload, x, body, *plan, so_far.parts, deadline, options);
    std::optional<result<object_info>> outcome;
    std::exception_ptr failure;
    try {
        auto sent = co_await send(work);
        outcome.emplace(std::move(sent));
    } catch (...) {
        failure = std::current_exception();
    }
    const bool resumable =
        options.begun && (failure || (outcome && !outcome->has_value() && may_pass(outcome->error())));
    const bool unfinished = failure || !outcome->has_value();
    if (unfinished && !resumable) {
        const bool saved = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await abort_apart(*upload, x.ex);
        co_await asio::this_coro::throw_if_cancelled(saved);
    }
    if (failure) std::rethrow_exception(failure);
    co_return std::move(*outcome);
}

}  // namespace firehose::storage
