#include "stages/unspool.hpp"

#include "pipeline/scope.hpp"

namespace firehose::stages {
namespace {

class unspool_run {
public:
    unspool_run(delivery& shared, const unspool::options& how, context& x)
        : shared_(shared),
          how_(how),
          x_(x),
          state_(std::make_shared<flow>(x.ex)),
          begun_(x.time.wall_now()) {}

    task<> run(sender<event> out) {
        return with_scope(x_.ex,
                          [this, out = std::move(out)](task_scope& s) mutable { return pump(s, out); });
    }

private:
    /// Batches on their way, and what to wait on: a verdict, the clock, or the drain.
    struct flow {
        explicit flow(executor ex) : changed(std::move(ex)) {}
        std::size_t open = 0;
        bool alarm_set = false;
        wait_queue changed;
    };

    task<> pump(task_scope& s, sender<event>& out) {
        s.spawn(wake_on_drain(state_, x_.stop));
        s.spawn(shared_.spool().hold_leases());
        {
            sender<event> ends_here(std::move(out));
            co_await take_turns(s, ends_here);
        }
        while (state_->open > 0) co_await state_->changed.async_wait(use_task);
        s.cancel();
    }

    task<> take_turns(task_scope& s, sender<event>& out) {
        while (!x_.stop.draining()) {
            if (state_->open >= how_.max_in_flight) {
                co_await state_->changed.async_wait(use_task);
                continue;
            }
            const auto which = due_now();
            auto taken = co_await shared_.spool().lease(which);
            if (!taken) {
                x_.log.error("the spool cannot be read", {{"reason", taken.error().context()}});
                if (how_.once) co_return;
                taken = std::vector<leased_record>();
            }
            if (!taken->empty()) {
                auto records = make_batch(std::move(*taken));
                const auto accepted = co_await out.push(records);
                if (!accepted) co_return;
                continue;
            }
            if (how_.once && state_->open == 0) co_return;
            if (!how_.once && !std::exchange(state_->alarm_set, true))
                s.spawn(wake_later(state_, x_.time, x_.time.now() + how_.look_again));
            co_await state_->changed.async_wait(use_task);
        }
    }

    lease_query due_now() {
        lease_query which;
        which.max_bytes = how_.batch_bytes;
        if (how_.once)
            which.untouched_since = begun_;
        else
            which.due_before = x_.time.wall_now();
        which.skip = [&shared = shared_](const storage::destination& to) { return shared.rests(to); };
        return which;
    }

    batch<event> make_batch(std::vector<leased_record> records) {
        ++state_->open;
        ack_token ack([state = state_](outcome) {
            --state->open;
            state->changed.wake_all();
        });
        std::vector<event> events;
        std::vector<slab> slabs;
        std::size_t bytes = 0;
        target_list targets;
        for (auto& record : records) {
            if (!targets || targets->front().to != record.header.to)
                targets = std::make_shared<const std::vector<target>>(1, target{record.header.to, {}});
            event e;
            e.raw = record.body;
            e.id = record.header.event_id;
            e.group = record.header.group_id;
            e.flow = record.header.flow_id;
            e.targets = targets;
            bytes += record.body.size();
            slabs.push_back(std::move(record.backing));
            e.record = std::make_shared<const spooled_record>(
                spooled_record{record.lease, std::move(record.header), record.from_earlier_run});
            events.push_back(std::move(e));
        }
        return {std::move(events), bytes, std::move(ack), std::move(slabs)};
    }

    static task<> wake_on_drain(std::shared_ptr<flow> state, stop_state& stop) {
        co_await stop.wait_for_drain();
        state->changed.wake_all();
    }

    static task<> wake_later(std::shared_ptr<flow> state, time_source& time, time_source::steady when) {
        co_await time.sleep_until(when);
        state->alarm_set = false;
        state->changed.wake_all();
    }

    delivery& shared_;
    const unspool::options& how_;
    context& x_;
    std::shared_ptr<flow> state_;
    time_source::wall begun_;
};

}  // namespace

task<> unspool::run(sender<event> out, context& x) {
    unspool_run job(*shared_, how_, x);
    auto all = job.run(std::move(out));
    co_await std::move(all);
}

}  // namespace firehose::stages
