#include "stages/ingest_journal.hpp"

#include "pipeline/scope.hpp"

#include <algorithm>
#include <deque>

namespace firehose::stages {
namespace {

class journal_reading {
public:
    journal_reading(event_log& from, const ingest_journal::options& how,
                    std::shared_ptr<ingest_journal::view> view, context& x)
        : from_(from),
          how_(how),
          view_(std::move(view)),
          x_(x),
          window_([this](std::uint64_t upto) { commit(upto); }, x.ex),
          settled_(std::make_shared<wait_queue>(x.ex)),
          load_(std::make_shared<load>()) {
        go_to_cursor();
    }

    task<> run(sender<raw_event> out) {
        return with_scope(x_.ex,
                          [this, out = std::move(out)](task_scope& s) mutable { return read_all(s, out); });
    }

private:
    struct load {
        std::size_t batches = 0, bytes = 0;
    };
    struct open_batch {
        log_position end;
        time_source::wall accepted;  ///< its first events
        routing_stamp stamp;         ///< the highest
    };

    void go_to_cursor() {
        unsettled_ = from_.delivered();
        next_ = how_.begin_at ? std::min(unsettled_, how_.begin_at(unsettled_)) : unsettled_;
    }

    task<> read_all(task_scope& s, sender<raw_event>& out) {
        s.spawn(wake_on_drain());
        s.spawn(wake_on_growth());
        s.spawn(save_now_and_then());
        {
            sender<raw_event> ends_here(std::move(out));  // downstream drains while we wait below
            co_await pump(ends_here);
        }
        while (load_->batches > 0) co_await settled_->async_wait(use_task);
        co_await from_.save_delivered();
        s.cancel();
    }

    task<> pump(sender<raw_event>& out) {
        while (!x_.stop.draining()) {
            if (window_.stalled()) {
                co_await start_again();
                continue;
            }
            if (too_much()) {
                co_await settled_->async_wait(use_task);
                continue;
            }
            const auto end = from_.end();
            auto blocks = co_await from_.read(next_, how_.batch_bytes);
            if (blocks.has_error()) {
                x_.log.error("the event log cannot be read", {{"reason", blocks.error().context()}});
                co_await pause(how_.read_again);
                continue;
            }
            if (blocks->empty()) {
                pass_over(end);
                co_await wait_for_work();
                continue;
            }
            auto whole = make_batch(std::move(*blocks));
            const auto taken = co_await out.push(whole);
            if (!taken) co_return;
            if (next_ >= from_.end() && how_.linger.count() > 0) co_await pause(how_.linger);
        }
    }

    bool too_much() const {
        return load_->batches >= how_.max_in_flight || load_->bytes >= how_.max_in_flight_bytes;
    }

    /// Nothing is left before `end`: what takes a position there is no event.
    void pass_over(log_position end) {
        if (end <= next_) return;
        next_ = end;
        window_.open(end).resolve(outcome::stored);
    }

    /// More in the log, a verdict, or the drain.
    task<> wait_for_work() {
        while (from_.end() <= next_ && !x_.stop.draining() && !window_.stalled())
            co_await settled_->async_wait(use_task);
    }

    task<> start_again() {
        ++view_->losses;
        x_.log.warning("some events could be neither delivered nor kept; they are read again",
                       {{"from", from_.delivered()}});
        co_await pause(how_.read_again);
        window_.restart();
        open_.clear();
        view_->oldest.reset();
        go_to_cursor();
    }

    task<> pause(std::chrono::milliseconds length) {
        const auto later = x_.time.now() + length;
        while (x_.time.now() < later && !x_.stop.draining()) {
            const auto soon = std::min(later, x_.time.now() + std::chrono::milliseconds(100));
            co_await x_.time.sleep_until(soon);
        }
    }

    batch<raw_event> make_batch(std::vector<log_block> blocks) {
        std::vector<raw_event> events;
        std::vector<slab> slabs;
        std::size_t bytes = 0;
        open_batch whole{next_, blocks.front().accepted, 0};
        for (auto& block : blocks) {
            const auto end = block.first + block.events.size();
            const auto arrived = milliseconds_since_epoch(block.accepted);
            for (std::size_t i = 0; i < block.events.size(); ++i) {
                const auto position = block.first + i;
                if (position < next_) continue;
                raw_event e;
                e.bytes = block.events[i];
                e.line = position;
                e.offset = position;
                e.arrived_ms = arrived;
                e.settled = position < unsettled_;
                e.flow = as_bytes(block.flow);
                e.stamp = block.stamp;
                bytes += e.bytes.size();
                events.push_back(e);
            }
            next_ = std::max(next_, end);
            whole.stamp = std::max(whole.stamp, block.stamp);
            if (slabs.empty() || slabs.back() != block.backing) slabs.push_back(std::move(block.backing));
        }
        whole.end = next_;
        open_.push_back(whole);
        view_->oldest = open_.front().accepted;
        ++load_->batches;
        load_->bytes += bytes;
        ack_token in_order = window_.open(next_);
        ack_token ack([weight = load_, settled = settled_, bytes,
                       window = std::make_shared<ack_token>(std::move(in_order))](outcome o) {
            --weight->batches;
            weight->bytes -= bytes;
            window->resolve(o);
            settled->wake_all();
        });
        return {std::move(events), bytes, std::move(ack), std::move(slabs)};
    }

    void commit(log_position upto) {
        from_.set_delivered(upto);
        const auto now = x_.time.wall_now();
        while (!open_.empty() && open_.front().end <= upto) {
            if (how_.settled) how_.settled(now - open_.front().accepted);
            view_->stamp = std::max(view_->stamp, open_.front().stamp);
            open_.pop_front();
        }
        view_->oldest.reset();
        if (!open_.empty()) view_->oldest = open_.front().accepted;
    }

    task<> wake_on_drain() {
        co_await x_.stop.wait_for_drain();
        settled_->wake_all();
    }

    task<> wake_on_growth() {
        for (;;) {
            const auto end = from_.end();
            co_await from_.grown(end);
            settled_->wake_all();
        }
    }

    task<> save_now_and_then() {
        for (;;) {
            const auto next = x_.time.now() + how_.save_every;
            co_await x_.time.sleep_until(next);
            co_await from_.save_delivered();
        }
    }

    event_log& from_;
    const ingest_journal::options& how_;
    std::shared_ptr<ingest_journal::view> view_;
    context& x_;
    log_position next_ = 0;
    log_position unsettled_ = 0;  ///< what comes before it has its verdict
    ack_window window_;
    std::shared_ptr<wait_queue> settled_;
    std::shared_ptr<load> load_;
    std::deque<open_batch> open_{};
};

}  // namespace

task<> ingest_journal::run(sender<raw_event> out, context& x) {
    journal_reading job(from_, how_, view_, x);
    auto all = job.run(std::move(out));
    co_await std::move(all);
}

}  // namespace firehose::stages
