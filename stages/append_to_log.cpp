#include "stages/append_to_log.hpp"

namespace firehose::stages {
namespace {

log_append block_of(const std::vector<raw_event>& events) {
    log_append out;
    std::size_t bytes = 0;
    for (const auto& e : events) bytes += e.bytes.size();
    out.bytes.reserve(bytes);
    out.lengths.reserve(events.size());
    for (const auto& e : events) {
        out.bytes.append(as_text(e.bytes));
        out.lengths.push_back(static_cast<std::uint32_t>(e.bytes.size()));
    }
    if (!events.empty()) out.flow = as_text(events.front().flow);
    return out;
}

}  // namespace

task<> append_to_log::run(receiver<raw_event> in, context&) {
    for (;;) {
        auto events = co_await in.next();
        if (!events) co_return;
        auto obligation = events->take_ack();
        auto block = block_of(events->items());
        const auto kept = co_await append_(std::move(block));
        obligation.resolve(kept.has_value() ? outcome::stored : outcome::lost);
    }
}

}  // namespace firehose::stages
