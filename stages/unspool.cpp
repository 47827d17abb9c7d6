#include "stages/unspool.hpp"

#include "pipeline/scope.hpp"

#include <algorithm>
#include <map>

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
    /// What is on its way, and what to wait on: a verdict, the clock, or the drain.
    struct flow {
        explicit flow(executor ex) : changed(std::move(ex)) {}
        std::map<storage::destination, std::size_t> open{};  ///< records; none is 0
        std::size_t bytes = 0;
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
        while (!state_->open.empty()) co_await state_->changed.async_wait(use_task);
        s.cancel();
    }

    task<> take_turns(task_scope& s, sender<event>& out) {
        while (!x_.stop.draining()) {
            if (state_->bytes >= how_.max_bytes) {
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
                auto batches = make_batches(std::move(*taken));
                for (auto& records : batches) {
                    const auto accepted = co_await out.push(records);
                    if (!accepted) co_return;
                }
                continue;
            }
            if (how_.once && state_->open.empty()) co_return;
            if (!how_.once && !std::exchange(state_->alarm_set, true))
                s.spawn(wake_later(state_, x_.time, x_.time.now() + how_.look_again));
            co_await state_->changed.async_wait(use_task);
        }
    }

    /// Of one destination, on their way at once.
    std::size_t quota() const {
        return std::max<std::size_t>(1, shared_.options().in_flight * how_.share_percent / 100);
    }

    /// Taken at once from one destination. Several make up the quota, so that the next are there before the
    /// last of these has its answer.
    std::size_t portion() const { return std::max<std::size_t>(1, quota() / 4); }

    lease_query due_now() {
        lease_query which;
        which.max_bytes = how_.batch_bytes;
        which.max_of_one = portion();
        which.newest_first = how_.newest_first;
        if (how_.once)
            which.untouched_since = begun_;
        else
            which.due_before = x_.time.wall_now();
        which.skip = [this](const storage::destination& to) { return is_busy(to) || shared_.rests(to); };
        return which;
    }

    bool is_busy(const storage::destination& to) const {
        const auto known = state_->open.find(to);
        return known != state_->open.end() && known->second + portion() > quota();
    }

    /// One batch for each destination, so that none waits for the verdict of another.
    std::vector<batch<event>> make_batches(std::vector<leased_record> records) {
        std::map<storage::destination, std::vector<leased_record>> by_destination;
        for (auto& record : records) by_destination[record.header.to].push_back(std::move(record));
        std::vector<batch<event>> out;
        for (auto& [to, some] : by_destination) out.push_back(make_batch(to, some));
        return out;
    }

    batch<event> make_batch(const storage::destination& to, std::vector<leased_record>& records) {
        const auto targets = std::make_shared<const std::vector<target>>(1, target{to, {}});
        std::vector<event> events;
        std::vector<slab> slabs;
        std::size_t bytes = 0;
        for (auto& record : records) {
            event e;
            e.file = std::move(record.file);
            if (!e.file) e.raw = record.body;
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
        state_->open[to] += events.size();
        state_->bytes += bytes;
        ack_token ack([state = state_, to, count = events.size(), bytes](outcome) {
            state->bytes -= bytes;
            const auto mine = state->open.find(to);
            mine->second -= count;
            if (mine->second == 0) state->open.erase(mine);
            state->changed.wake_all();
        });
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
