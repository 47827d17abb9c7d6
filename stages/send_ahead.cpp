#include "stages/send_ahead.hpp"

#include "pipeline/scope.hpp"
#include "storage/file_put.hpp"
#include "storage/multipart_plan.hpp"

#include <chrono>
#include <optional>

namespace firehose::stages {
namespace {

/// How long after its deadline a store may still answer.
constexpr std::chrono::milliseconds patience{1'000};

class sender_ahead {
public:
    explicit sender_ahead(ahead_of& what)
        : what_(what),
          x_(what.shared->shard()),
          lane_(what.shared->lane_of(what.to)),
          parts_(*what.parts),
          part_size_(part_size()) {}

    task<> run() {
        bool useful = part_size_ > 0;
        while (useful && parts_.what == fate::open) {
            if (has_next_part())
                useful = co_await send_next();
            else
                co_await parts_.changed.async_wait(use_task);
        }
        while (parts_.what == fate::open || parts_.what == fate::wanted)
            co_await parts_.changed.async_wait(use_task);
        if (parts_.what == fate::dropped) co_await abort();
    }

private:
    using fate = parts_ahead::fate;

    struct sending_now {
        parts_ahead& of;
        explicit sending_now(parts_ahead& p) : of(p) { of.sending = true; }
        sending_now(const sending_now&) = delete;
        ~sending_now() {
            of.sending = false;
            of.changed.wake_all();
        }
    };

    /// None: 0.
    std::uint64_t part_size() const {
        if (!lane_->store) return 0;
        const auto plan = storage::plan_parts(what_.expected, lane_->store->can(), lane_->parts);
        return plan ? plan->part_size : 0;
    }
    bool has_next_part() const {
        const auto end = (static_cast<std::uint64_t>(parts_.upload.parts) + 1) * part_size_;
        return parts_.so_far && parts_.so_far->size() >= end;
    }
    /// False: no more. What is there stays for the delivery to go on with.
    task<bool> send_next() {
        const permit turn = co_await lane_->ahead.acquire();
        const permit running = co_await lane_->permits.acquire();
        const permit room = co_await lane_->parts_in_memory.acquire();
        // A store that was made anew knows nothing of this upload.
        const bool same = !parts_.store || parts_.store == lane_->store;
        if (!lane_->store || !same || !lane_->gate.is_healthy()) co_return false;
        if (parts_.what != fate::open) co_return false;
        parts_.store = lane_->store;
        const sending_now mark(parts_);
        done_ = false;
        auto sending = in_time(send());
        co_await std::move(sending);
        co_return done_;
    }
    /// A store that never answers must not be waited for.
    task<> in_time(task<> work) {
        return with_scope(x_.ex, [this, work = std::move(work)](task_scope& s) mutable {
            s.spawn(cancel_late(s));
            return then_end(std::move(work), s);
        });
    }
    task<> cancel_late(task_scope& s) {
        const auto late = x_.time.now() + 2 * what_.shared->options().timeout + patience;
        co_await x_.time.sleep_until(late);
        s.cancel();
    }
    static task<> then_end(task<> work, task_scope& s) {
        co_await std::move(work);
        s.cancel();
    }
    task<> send() {
        const auto timeout = what_.shared->options().timeout;
        auto& upload = parts_.upload;
        if (!upload.upload) {
            const auto until = x_.time.now() + timeout;
            auto begun = co_await parts_.store->start_multipart(what_.key, what_.how, until);
            if (!begun) co_return;
            upload.upload = std::move(*begun);
            upload.part_size = part_size_;
        }
        const auto body = parts_.so_far;
        const storage::byte_range range{static_cast<std::uint64_t>(upload.parts) * part_size_, part_size_};
        const auto part = co_await storage::read_part(x_, *body, range, nullptr);
        if (!part) co_return;
        const auto until = x_.time.now() + timeout;
        const auto put = co_await upload.upload->put_part(upload.parts + 1, part->bytes, until);
        if (!put) co_return;
        ++upload.parts;
        ++x_.count["parts_sent_ahead"];
        done_ = true;
    }
    task<> abort() {
        const auto upload = std::move(parts_.upload.upload);
        if (!upload) co_return;
        ++x_.count["uploads_ahead_dropped"];
        auto aborting = in_time(upload->abort());
        co_await std::move(aborting);
    }

    ahead_of& what_;
    context& x_;
    std::shared_ptr<lane> lane_;
    parts_ahead& parts_;
    const std::uint64_t part_size_;
    bool done_ = false;
};

}  // namespace

task<> send_ahead(ahead_of what) {
    sender_ahead one(what);
    co_await one.run();
}

}  // namespace firehose::stages
