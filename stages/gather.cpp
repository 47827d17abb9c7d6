#include "stages/gather.hpp"

#include "http/random_hex.hpp"
#include "pipeline/blocking.hpp"
#include "pipeline/scope.hpp"
#include "stages/growing_object.hpp"
#include "stages/send_ahead.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

namespace firehose::stages {
namespace {

/// Of a log that its reader has stopped reading, long enough to be no pause.
constexpr std::chrono::seconds silence{10};
/// No store takes smaller parts, and thousands of objects may be open.
constexpr std::uint64_t worth_sending_ahead = 4u << 20;

/// The frame of one running gather. One coroutine moves events, two only sleep.
class gather_run {
public:
    gather_run(const gather::options& how, receiver<event> in, sender<event> out, context& x)
        : how_(how.how),
          plan_(how.plan),
          in_(std::move(in)),
          out_(std::move(out)),
          x_(x),
          open_(how_, plan_, plan_ ? plan_->arrival_ms() : milliseconds_since_epoch(x.time.wall_now()),
                x.count,
                how.files ? [files = how.files, &x] { return files->make(x); } : gathering::file_maker(),
                plan_ ? plan_->id() : http::random_hex(x.random, 8), growing_objects(how, x)),
          on_the_way_(std::make_shared<traffic>(x.ex)),
          old_enough_(x.ex),
          silent_(x.ex),
          ahead_(how.ahead),
          ahead_ended_(x.ex) {}

    task<> carry(task_scope& s) {
        scope_ = &s;
        s.spawn(watch(old_enough_));
        s.spawn(watch(silent_));
        bool wanted = true;
        while (wanted) {
            const auto now = x_.time.now();
            if (old_enough_.rings(now) && open_.cut_opened_before(now - how_.age)) {
                wanted = co_await send_finished();
                continue;
            }
            auto events = in_.try_next();
            if (events) {
                wanted = co_await take(*events);
                continue;
            }
            if (in_.ended()) break;
            if (silent_.rings(now) && open_.cut_followed_since(now - silence)) {
                wanted = co_await send_finished();
                continue;
            }
            co_await in_.readable();
        }
        if (wanted) {
            open_.cut_all();
            co_await send_finished();
        }
        out_.reset();  // who sends ahead waits for the deliveries, and they for the end
        while (wanted && sending_ahead_ > 0) co_await ahead_ended_.async_wait(use_task);
        s.cancel();  // the sleepers
    }

private:
    static gathering::growing_maker growing_objects(const gather::options& how, context& x) {
        if (!how.ahead) return {};
        return [ex = x.ex](const target_list& targets, std::shared_ptr<const gathered_object> about) {
            return std::make_shared<growing_object>(ex, targets, std::move(about));
        };
    }

    /// A time that never moves closer.
    struct alarm {
        explicit alarm(executor ex) : changed(std::move(ex)) {}
        void set(std::optional<time_source::steady> when) {
            if (when == due) return;
            due = when;
            changed.wake_all();
        }
        bool rings(time_source::steady now) const { return due && now >= *due; }
        std::optional<time_source::steady> due{};
        wait_queue changed;
    };
    /// Bytes of objects without a verdict.
    struct traffic {
        explicit traffic(executor ex) : changed(std::move(ex)) {}
        std::size_t bytes = 0;
        wait_queue changed;
    };

    /// Wakes carry().
    task<> watch(alarm& a) {
        for (;;) {
            while (!a.due) co_await a.changed.async_wait(use_task);
            const auto when = *a.due;
            co_await x_.time.sleep_until(when);
            in_.nudge();
            while (a.due == when) co_await a.changed.async_wait(use_task);
        }
    }

    /// False: nobody wants any more.
    task<bool> take(batch<event>& events) {
        ack_token whole = events.take_ack();
        std::vector<event> passed;
        open_.begin_batch(x_.time.now());
        for (const auto& e : events.items()) {
            open_.pass(e.position);
            if (!e.targets || e.targets->empty()) continue;
            if (!e.problem.empty() || e.record) {
                if (!e.settled) passed.push_back(e);
            } else if (const auto hopeless = open_.add(e, whole); hopeless && !e.settled) {
                passed.push_back(e);
                passed.back().targets = hopeless;
            }
        }
        bool wanted = true;
        if (!passed.empty()) {
            auto slabs = events.slabs();
            batch<event> rest(std::move(passed), events.bytes(), whole.split(), std::move(slabs));
            wanted = co_await out_->push(rest);
        }
        whole.resolve(outcome::stored);  // our own part is done
        if (wanted) wanted = co_await send_finished();
        co_return wanted;
    }

    task<bool> send_finished() {
        co_await write_pieces();
        auto objects = open_.take_finished();
        set_alarms();
        drop_unwritten(objects);
        if (objects.empty()) co_return true;
        const bool planned = co_await record_plans(objects);
        if (!planned) co_return true;  // `objects` report lost
        for (auto& object : objects) {
            const auto size = memory_of(object);
            while (on_the_way_->bytes > 0 && on_the_way_->bytes + size > how_.memory / 2)
                co_await on_the_way_->changed.async_wait(use_task);
            auto b = make_batch(std::move(object), size);
            const bool taken = co_await out_->push(b);
            if (!taken) co_return false;
        }
        co_return true;
    }

    task<> write_pieces() {
        auto pieces = open_.take_pieces();
        if (pieces.empty()) co_return;
        auto work = [&pieces] {
            for (auto& piece : pieces) piece.to->append(piece.bytes);
        };
        co_await run_blocking(x_.blocking, std::move(work));
        for (auto& piece : pieces) {
            if (!piece.growing || piece.to->failure()) continue;
            if (piece.to->size() < worth_sending_ahead) continue;
            if (!piece.growing->is_followed()) begin_ahead(*piece.growing);
            piece.growing->grew(piece.to->so_far());
        }
    }

    void begin_ahead(growing_object& growing) {
        for (const auto& t : growing.targets()) {
            ahead_of one;
            one.shared = ahead_;
            one.parts = growing.follow(t.to);
            one.to = t.to;
            one.key = key_template::with_prefix(growing.about().key, t.to.prefix);
            one.how.content_type = batch_content_type;
            one.how.content_encoding = growing.about().content_encoding;
            one.expected = how_.bytes;
            scope_->spawn(run_ahead(std::move(one), counted(*this)));
        }
    }

    /// One who sends ahead, from before it starts to its end.
    class counted {
    public:
        explicit counted(gather_run& of) : of_(&of) { ++of.sending_ahead_; }
        counted(counted&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        ~counted() {
            if (of_ && --of_->sending_ahead_ == 0) of_->ahead_ended_.wake_all();
        }

    private:
        gather_run* of_;
    };
    /// A favour that fails must not end the pipeline.
    task<> run_ahead(ahead_of one, counted mark) {
        try {
            auto sending = send_ahead(std::move(one));
            co_await std::move(sending);
        } catch (const std::exception& e) {
            const auto failure = std::current_exception();
            if (is_cancellation(failure)) throw;
            x_.log.warning("parts of an object could not be sent ahead", {{"reason", e.what()}});
        }
        static_cast<void>(mark);
    }

    /// Those report lost.
    void drop_unwritten(std::vector<finished_object>& objects) {
        std::erase_if(objects, [this](const finished_object& object) {
            if (!object.file || !object.file->failure()) return false;
            x_.log.error("the file of a large object cannot be written, so its events are not accepted",
                         {{"reason", object.file->failure()->context()}});
            return true;
        });
    }

    /// One that lies in a file holds some of its parts when it is sent.
    std::size_t memory_of(const finished_object& object) const {
        if (!object.file) return object.what.raw.size();
        return static_cast<std::size_t>(std::min<std::uint64_t>(object.file->size(), how_.memory / 8));
    }

    task<bool> record_plans(const std::vector<finished_object>& objects) {
        std::vector<planned_cut> cuts;
        for (const auto& object : objects)
            if (!object.recorded) cuts.push_back(object.plan);
        if (!plan_ || cuts.empty()) co_return true;
        const auto recorded = co_await plan_->record(std::move(cuts));
        if (!recorded)
            x_.log.error("the plan of an object cannot be written, so its events are not accepted",
                         {{"reason", recorded.error().context()}});
        co_return recorded.has_value();
    }

    batch<event> make_batch(finished_object object, std::size_t size) {
        on_the_way_->bytes += size;
        auto acks = std::make_shared<std::vector<ack_token>>(std::move(object.acks));
        ack_token all([way = on_the_way_, size, acks](outcome what) {
            way->bytes -= size;
            way->changed.wake_all();
            for (auto& ack : *acks) ack.resolve(what);
        });
        if (object.file) object.what.file = object.file->so_far();
        std::vector<event> items;
        items.push_back(std::move(object.what));
        std::vector<slab> slabs{std::move(object.bytes)};
        return {std::move(items), size, std::move(all), std::move(slabs)};
    }

    void set_alarms() {
        const auto oldest = how_.age.count() > 0 ? open_.oldest() : std::nullopt;
        old_enough_.set(oldest ? std::optional(*oldest + how_.age) : std::nullopt);
        const auto since = open_.following_since();
        silent_.set(since ? std::optional(*since + silence) : std::nullopt);
    }

    const batch_options& how_;
    std::shared_ptr<cut_plan> plan_;
    receiver<event> in_;
    std::optional<sender<event>> out_;
    context& x_;
    gathering open_;
    std::shared_ptr<traffic> on_the_way_;
    alarm old_enough_, silent_;
    std::shared_ptr<delivery> ahead_;
    task_scope* scope_ = nullptr;
    std::size_t sending_ahead_ = 0;
    wait_queue ahead_ended_;
};

}  // namespace

task<> gather::run(receiver<event> in, sender<event> out, context& x) {
    auto state = std::make_shared<gather_run>(how_, std::move(in), std::move(out), x);
    return with_scope(x.ex, [state](task_scope& s) { return state->carry(s); });
}

}  // namespace firehose::stages
