#include "stages/stream_reader.hpp"

#include <boost/asio/post.hpp>

namespace firehose::stages {
namespace {

constexpr std::size_t first_read = 256u << 10;  // some pages' worth: what is over is kept for the next
constexpr std::size_t next_read = 1u << 20;
constexpr std::size_t bytes_in_a_row = 1u << 20;

error no_page(int status, std::string code, std::string text) {
    error_details d;
    d.status = status;
    d.provider_code = std::move(code);
    d.context = std::move(text);
    return {disposition::park, std::move(d)};
}

}  // namespace

/// A page while it is made.
class stream_reader::scan {
public:
    scan(stream_reader& by, const stream_query& what)
        : by_(by), what_(what), until_(by.x_.time.now() + by.how_.scan) {}

    bool is_over() const {
        return is_full() || events_ >= by_.how_.scan_events || by_.x_.time.now() >= until_;
    }

    /// From page.next on, to the end of the block or of the page.
    task<> take(std::shared_ptr<const log_block> block) {
        std::size_t in_a_row = 0;
        const auto skipped = page.next - std::min(page.next, block->first);
        for (std::size_t i = static_cast<std::size_t>(skipped); i < block->events.size(); ++i) {
            const auto event = block->events[i];
            if (by_.items_.append_if(page.items, event, what_.type, block->accepted)) ++page.count;
            page.next = block->first + i + 1;
            ++events_;
            in_a_row += event.size();
            if (is_full() || events_ >= by_.how_.scan_events) co_return;
            if (in_a_row < bytes_in_a_row) continue;
            in_a_row = 0;
            co_await asio::post(by_.x_.ex, use_task);
            if (is_over()) co_return;
        }
    }

    stream_page page{};

private:
    bool is_full() const { return page.count >= what_.limit || page.items.size() >= by_.how_.page_bytes; }

    stream_reader& by_;
    const stream_query& what_;
    time_source::steady until_;
    std::size_t events_ = 0;
};

stream_reader::stream_reader(context& x, event_shape shape, stream_limits how, log_read_function read)
    : x_(x), items_(std::move(shape)), how_(how), read_(std::move(read)) {}

task<result<stream_page>> stream_reader::read(stream_query what) {
    using start = stream_query::start;
    scan now(*this, what);
    auto& page = now.page;
    const bool looked = what.from == start::position;
    const log_position asked = looked ? what.position : 0;  // where no event lies
    auto look = co_await read_(asked, first_read);
    if (look.has_error()) co_return look.error();
    const auto goal = look->end;
    page.first = what.position;
    if (what.from == start::tail) page.first = look->begin;
    if (what.from == start::top) page.first = goal;
    page.next = page.first;
    if (page.next > goal)
        co_return no_page(400, "invalid_param", "this position lies behind the end of the stream");
    if (!looked && page.next < goal) look = co_await read_(page.next, first_read);
    while (look.has_value() && page.next < std::max(goal, look->begin)) {
        if (page.next < look->begin) {
            if (page.next > page.first) break;  // they go meanwhile: the next request is told
            if (what.from != start::tail)
                co_return no_page(410, "position_expired",
                                  "the events at this position are no longer kept; start again at \"tail\", "
                                  "with what is left, or at \"top\", with what is to come");
            page.first = page.next = look->begin;
        }
        for (const auto& block : look->blocks) {
            co_await now.take(block);
            if (now.is_over()) break;
        }
        if (look->blocks.empty()) page.next = std::max(page.next, look->end);
        if (now.is_over() || page.next >= goal) break;
        look = co_await read_(page.next, next_read);
    }
    if (look.has_error()) co_return look.error();
    page.top = page.next >= goal;
    co_return std::move(page);
}

}  // namespace firehose::stages
