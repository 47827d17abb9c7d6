#include "stages/log_window.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

constexpr std::size_t reads_at_once = 4;
constexpr std::size_t span_weight = 16u << 10;  // of the bytes around a few small blocks, which are kept too

log_position end_of_block(const log_block& block) { return block.first + block.events.size(); }

}  // namespace

log_window::log_window(context& x, event_log& of, std::size_t max_bytes)
    : of_(of), max_bytes_(max_bytes), reads_(x.ex, reads_at_once) {}

task<result<log_slice>> log_window::read(log_position from, std::size_t max_bytes) {
    log_slice out;
    out.begin = of_.begin();
    out.end = of_.end();
    if (from < out.begin || from >= out.end || find(from, out)) co_return out;
    const permit mine = co_await reads_.acquire();
    out.end = of_.end();
    if (find(from, out)) co_return out;  // who had the permit wanted the same
    auto blocks = co_await of_.read(from, max_bytes);
    out.begin = of_.begin();
    if (blocks.has_error()) co_return blocks.error();
    for (auto& block : *blocks) out.blocks.push_back(std::make_shared<const log_block>(std::move(block)));
    if (!out.blocks.empty()) keep(from, out);
    co_return out;
}

bool log_window::find(log_position from, log_slice& out) const {
    const auto after = spans_.upper_bound(from);
    if (after == spans_.begin()) return false;
    const auto& found = std::prev(after)->second;
    if (found.upto <= from) return false;
    std::ranges::copy_if(found.blocks, std::back_inserter(out.blocks),
                         [&](const auto& block) { return end_of_block(*block) > from; });
    return true;
}

void log_window::keep(log_position from, const log_slice& what) {
    span made;
    made.upto = end_of_block(*what.blocks.back());
    made.blocks = what.blocks;
    made.weight = span_weight;
    for (const auto& block : what.blocks)
        for (const auto& event : block->events) made.weight += event.size() + sizeof(bytes_view);
    auto& place = spans_[from];
    if (place.blocks.empty()) order_.push_back(from);
    weight_ += made.weight - place.weight;
    place = std::move(made);
    while (weight_ > max_bytes_ && order_.size() > 1) {
        const auto oldest = spans_.find(order_.front());
        weight_ -= oldest->second.weight;
        spans_.erase(oldest);
        order_.pop_front();
    }
}

}  // namespace firehose::stages
