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
        while (useful && parts_.what == parts_ahead::fate::open) {
            if (!has_next_part()) {
                co_await parts_.changed.async_wait(use_task);
                continue;
            }
            useful = co_await send_next();
        }
        if (!useful) co_await give_up();
        parts_.sending = false;
        parts_.changed.wake_all();
        while (parts_.what == parts_ahead::fate::open) co_await parts_.changed.async_wait(use_task);
        if (parts_.what == parts_ahead::fate::dropped) co_await give_up();
    }

private:
    using fate = parts_ahead::fate;

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
    /// False: no more.
    task<bool> send_next() {
        const permit turn = co_await lane_->ahead.acquire();
        const permit running = co_await lane_->permits.acquire();
        // A store that was made anew knows nothing of this upload.
        const bool same = !store_ || store_ == lane_->store;
        const bool good = lane_->store && same && lane_->gate.is_healthy();
        if (parts_.what != fate::open || !good) co_return parts_.what != fate::open;
        store_ = lane_->store;
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
            auto begun = co_await store_->start_multipart(what_.key, what_.how, until);
            if (!begun) co_return;
            upload.upload = std::move(*begun);
            upload.part_size = part_size_;
        }
        const auto body = parts_.so_far;
        const storage::byte_range range{static_cast<std::uint64_t>(upload.parts) * part_size_, part_size_};
        const auto part = co_await storage::read_part(x_, *body, range, &lane_->parts_in_memory);
        if (!part) co_return;
        const auto until = x_.time.now() + timeout;
        const auto put = co_await upload.upload->put_part(upload.parts + 1, part->bytes, until);
        if (!put) co_return;
        ++upload.parts;
        ++x_.count["parts_sent_ahead"];
        done_ = true;
    }
    task<> give_up() {
        const auto upload = std::move(parts_.upload.upload);
        parts_.upload = {};
        if (!upload) co_return;
        ++x_.count["uploads_ahead_given_up"];
        auto aborting = in_time(upload->abort());
        co_await std::move(aborting);
    }

    ahead_of& what_;
    context& x_;
    std::shared_ptr<lane> lane_;
    parts_ahead& parts_;
    const std::uint64_t part_size_;
    std::shared_ptr<storage::store> store_{};
    bool done_ = false;
};

}  // namespace

task<> send_ahead(ahead_of what) {
    sender_ahead one(what);
    co_await one.run();
}

}  // namespace firehose::stages
