#include "stages/ingest_stream.hpp"

#include "http/client.hpp"
#include "pipeline/ack_window.hpp"
#include "pipeline/backoff.hpp"
#include "pipeline/scope.hpp"
#include "pipeline/semaphore.hpp"
#include "stages/pull_position.hpp"
#include "stages/sequence_check.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace firehose::stages {
namespace {

/// Pages that leave the position where it was may be a server that is slow; more of them are a fault.
constexpr unsigned unmoved_pages = 3;

bool is_keyword(std::string_view position) { return position == tail_position || position == top_position; }

class pulling {
public:
    pulling(const ingest_stream::options& how, ingest_stream::report& report, pull_position& place,
            pull_client& client, context& x)
        : how_(how),
          report_(report),
          place_(place),
          client_(client),
          x_(x),
          next_(place.stored().empty() ? how.start : place.stored()),
          durable_(place.stored()),
          limit_(how.limit),
          seen_(how.remember),
          window_([this](std::uint64_t upto) { commit(upto); }),
          settled_(std::make_shared<wait_queue>(x.ex)),
          load_(std::make_shared<load>()),
          saving_(x.ex, 1) {
        if (!how.flow.empty()) flow_ = copy_to_slab(how.flow);
        report_.durable = durable_;
    }

    task<> run(sender<raw_event> out) {
        return with_scope(x_.ex,
                          [this, out = std::move(out)](task_scope& s) mutable { return pull_all(s, out); });
    }

private:
    struct load {
        std::size_t batches = 0, bytes = 0;
        bool ending = false;  ///< what comes back unsent is no loss
        bool lost = false;
    };
    struct open_page {
        std::uint64_t number;
        std::string position;
    };

    task<> pull_all(task_scope& s, sender<raw_event>& out) {
        x_.log.info("pulling", {{"source", how_.name}, {"from", next_}});
        s.spawn(save_now_and_then());
        {
            sender<raw_event> ends_here(std::move(out));  // downstream drains while we wait below
            co_await pull_until_drain(ends_here);
        }
        while (load_->batches > 0) co_await settled_->async_wait(use_task);
        report_.lost = load_->lost;
        const auto saved = co_await save();
        if (saved.has_error() && report_.failure.empty()) report_.failure = saved.error().context();
        s.cancel();
    }

    /// A request or a pause under way ends at once: neither holds anything that is lost.
    task<> pull_until_drain(sender<raw_event>& out) {
        return with_scope(x_.ex, [this, &out](task_scope& s) {
            s.spawn(cancel_on_drain(&s));
            return pull(&s, out);
        });
    }
    task<> cancel_on_drain(task_scope* pulls) {
        co_await x_.stop.wait_for_drain();
        load_->ending = true;
        pulls->cancel();
    }
    task<> pull(task_scope* watched, sender<raw_event>& out) {
        for (;;) {
            const auto goes_on = co_await step(out);
            if (!goes_on) break;
        }
        watched->cancel();
    }
    task<bool> step(sender<raw_event>& out) {
        if (window_.stalled()) co_return co_await start_again();
        if (!too_much()) co_return co_await pull_one(out);
        co_await settled_->async_wait(use_task);
        co_return true;
    }

    bool too_much() const {
        return load_->batches >= how_.max_in_flight || load_->bytes >= how_.max_in_flight_bytes;
    }

    /// False: it ends here.
    task<bool> pull_one(sender<raw_event>& out) {
        co_await x_.time.sleep_until(not_before_);
        not_before_ = x_.time.now() + how_.apart;
        ++x_.count["stream_requests"];
        auto page = co_await client_.get(next_, limit_);
        if (page.has_error()) co_return co_await failed(page.error());
        ++report_.pages;
        limit_ = std::min(how_.limit, limit_ + 1);
        const bool moved = page->position != next_;
        if (!is_keyword(next_)) gaps_in_a_row_ = 0;
        next_ = page->position;
        const bool top = page->top;
        const auto news = co_await hand_on(std::move(*page), out);
        if (!news) co_return false;
        if (top || moved) failures_ = 0;
        unmoved_ = top || moved ? 0 : unmoved_ + 1;
        barren_ = top || *news > 0 ? 0 : barren_ + 1;
        if (top) co_return co_await arrived();
        if (unmoved_ > unmoved_pages) co_return co_await failed(stands_still());
        if (barren_ >= how_.barren_pages) co_return co_await failed(leads_nowhere());
        co_return true;
    }

    error stands_still() const {
        return {disposition::retry,
                "GET " + describe(how_.at) + ": " + std::to_string(unmoved_) +
                    " pages in a row with the position that was asked for and \"top\" false"};
    }
    error leads_nowhere() {
        return {disposition::stop, "GET " + describe(how_.at) + ": " +
                                       std::to_string(std::exchange(barren_, 0)) +
                                       " pages in a row without a new event and with \"top\" false"};
    }

    task<bool> arrived() {
        if (how_.then == at_top::end) {
            // What comes back lost is pulled again before this is the end.
            while (!how_.ends_on_loss && load_->batches > 0 && !window_.stalled())
                co_await settled_->async_wait(use_task);
            const bool again = !how_.ends_on_loss && window_.stalled();
            report_.complete = !again;
            co_return again;
        }
        if (!std::exchange(was_at_top_, true))
            x_.log.info("at the top of the stream", {{"source", how_.name}});
        not_before_ = std::max(not_before_, x_.time.now() + how_.poll);
        co_return true;
    }

    /// How many events were new; nothing when nobody takes them.
    task<std::optional<std::size_t>> hand_on(pulled_page page, sender<raw_event>& out) {
        const auto number = ++pages_;
        open_.push_back({number, page.position});
        ack_token in_order = window_.open(number);
        std::vector<raw_event> events;
        for (const auto& one : page.events) {
            const bool comparable = one.sequence && !one.id.empty();
            if (comparable && !seen_.is_new(one.type, one.id, *one.sequence)) {
                ++report_.repeats;
                ++x_.count["stream_repeats"];
                continue;
            }
            raw_event e;
            e.bytes = one.bytes;
            e.line = e.offset = ++report_.events;
            if (flow_) e.flow = bytes_view(flow_.get(), how_.flow.size());
            events.push_back(e);
        }
        const std::size_t count = events.size();
        x_.count["stream_events"] += count;
        if (count == 0) {
            in_order.resolve(outcome::stored);
            co_return count;
        }
        was_at_top_ = was_at_top_ && page.top;
        auto whole = make_batch(std::move(events), std::move(page.backing), std::move(in_order));
        const auto taken = co_await out.push(whole);
        if (!taken) co_return std::nullopt;
        co_return count;
    }

    batch<raw_event> make_batch(std::vector<raw_event> events, slab backing, ack_token in_order) {
        std::size_t bytes = 0;
        for (const auto& e : events) bytes += e.bytes.size();
        ++load_->batches;
        load_->bytes += bytes;
        ack_token ack([weight = load_, settled = settled_, bytes,
                       window = std::make_shared<ack_token>(std::move(in_order))](outcome o) {
            --weight->batches;
            weight->bytes -= bytes;
            if (o == outcome::lost && !weight->ending) weight->lost = true;
            window->resolve(o);
            settled->wake_all();
        });
        std::vector<slab> slabs{std::move(backing)};
        if (flow_) slabs.push_back(flow_);
        return {std::move(events), bytes, std::move(ack), std::move(slabs)};
    }

    void commit(std::uint64_t upto) {
        while (!open_.empty() && open_.front().number <= upto) {
            durable_ = std::move(open_.front().position);
            open_.pop_front();
        }
        report_.durable = durable_;
    }

    /// The first page without a verdict was lost: nothing behind it counts either.
    task<bool> start_again() {
        if (how_.ends_on_loss) co_return false;
        ++x_.count["stream_losses"];
        x_.log.warning("pulled events could be neither delivered nor kept; they are pulled again",
                       {{"source", how_.name}, {"from", durable_}});
        while (load_->batches > 0) co_await settled_->async_wait(use_task);
        const auto later = x_.time.now() + how_.read_again;
        co_await x_.time.sleep_until(later);
        window_.restart();
        open_.clear();
        seen_.forget();
        load_->lost = false;
        next_ = durable_.empty() ? how_.start : durable_;
        co_return true;
    }

    /// False: it gives up. Else the pause that is due has passed.
    task<bool> failed(error why) {
        const bool gone = why.status() == 410;
        if (gone && how_.expired == on_expired::stop) {
            give_up(why.context() + "; events that were not pulled are gone. Set \"expired\" to \"tail\" or "
                                    "\"top\" to go on there");
            co_return false;
        }
        if (gone && !is_keyword(next_)) co_return co_await pass_the_gap(std::move(why));
        ++failures_;
        ++x_.count["stream_failures"];
        const bool hopeless = why.what() == disposition::stop;
        if (how_.attempts != 0 && (hopeless || failures_ >= how_.attempts)) {
            give_up(why.context());
            co_return false;
        }
        if (!why.status() && (!why.code() || why.code() == asio::error::timed_out))
            limit_ = std::max(1U, limit_ / 2);
        auto pause = full_jitter(how_.backoff, how_.backoff_cap, failures_ - 1, x_.random.uniform());
        if (hopeless) pause = std::max(pause, how_.probe);
        if (why.retry_after()) pause = std::max(pause, *why.retry_after());
        x_.log.write(hopeless ? log_level::error : log_level::warning, "a page could not be pulled",
                     {{"source", how_.name},
                      {"position", next_},
                      {"reason", why.context()},
                      {"failures", failures_},
                      {"again_in_ms", pause.count()}});
        const auto later = x_.time.now() + pause;
        co_await x_.time.sleep_until(later);
        co_return true;
    }

    task<bool> pass_the_gap(error why) {
        ++report_.gaps;
        ++x_.count["stream_gaps"];
        const auto to = how_.expired == on_expired::tail ? tail_position : top_position;
        x_.log.error("the position has expired: events between it and what the server still has are gone",
                     {{"source", how_.name}, {"position", next_}, {"on_at", to}, {"reason", why.context()}});
        next_ = to;
        const auto pause = full_jitter(how_.backoff, how_.backoff_cap, gaps_in_a_row_, x_.random.uniform());
        if (gaps_in_a_row_++ == 0) co_return true;
        const auto later = x_.time.now() + pause;
        co_await x_.time.sleep_until(later);
        co_return true;
    }

    void give_up(std::string why) {
        ++x_.count["stream_stopped"];
        report_.failure = std::move(why);
    }

    task<> save_now_and_then() {
        for (;;) {
            const auto next = x_.time.now() + how_.save_every;
            co_await x_.time.sleep_until(next);
            co_await save();
        }
    }

    task<result<>> save() {
        const permit alone = co_await saving_.acquire();
        const auto upto = durable_;
        if (upto == place_.stored()) co_return result<>();
        auto saved = co_await place_.save(upto);
        if (saved.has_error())
            x_.log.error("the position of a stream cannot be saved; after a restart events are pulled again",
                         {{"source", how_.name}, {"reason", saved.error().context()}});
        co_return saved;
    }

    const ingest_stream::options& how_;
    ingest_stream::report& report_;
    pull_position& place_;
    pull_client& client_;
    context& x_;
    std::string next_, durable_;
    unsigned limit_;
    sequence_check seen_;
    ack_window window_;
    std::shared_ptr<wait_queue> settled_;
    std::shared_ptr<load> load_;
    semaphore saving_;
    slab flow_{};
    std::deque<open_page> open_{};
    std::uint64_t pages_ = 0;
    time_source::steady not_before_{};
    unsigned failures_ = 0, gaps_in_a_row_ = 0, unmoved_ = 0, barren_ = 0;
    bool was_at_top_ = false;
};

}  // namespace

ingest_stream::ingest_stream(storage::file_system& fs, options how) : fs_(fs), how_(std::move(how)) {
    if (how_.start.empty()) how_.start = tail_position;
}

task<> ingest_stream::run(sender<raw_event> out, context& x) {
    auto place = co_await pull_position::open(x, fs_, how_.directory, describe(how_.at));
    if (place.has_error()) {
        report_->failure = place.error().context();
        co_return;
    }
    std::optional<http::client> own;
    if (!how_.connect) own.emplace(x, how_.http);
    const auto connect = own ? own->transports() : how_.connect;
    const storage::provider_parts parts{x, connect, storage::machine_without_variables()};
    auto token = make_pull_token(how_.with, parts, fs_, how_.directory, "the token of source " + how_.name);
    pull_client client(x, connect(how_.at.to, nullptr), std::move(token), how_.at, how_.timeout);
    pulling job(how_, *report_, **place, client, x);
    auto all = job.run(std::move(out));
    co_await std::move(all);
}

}  // namespace firehose::stages
