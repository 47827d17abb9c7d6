#include "examples/firehose/part_refusals.hpp"

#include "pipeline/blocking.hpp"
#include "stages/line_ranges.hpp"

#include <utility>

namespace firehose::app {

part_refusals::part_refusals(context& x, std::string path, std::uint64_t begin, stages::refusal_sink to)
    : x_(x), path_(std::move(path)), begin_(begin), to_(std::move(to)), changed_(x.ex) {
    if (begin_ == 0) before_ = 0;
}

stages::refusal_sink part_refusals::sink() {
    return [this](const stages::refusal& r) {
        if (begin_ == 0) {
            to_(r);
            return;
        }
        waiting_.push_back(r);
        changed_.wake_all();
    };
}

task<> part_refusals::tell() {
    for (;;) {
        while (waiting_.empty() && !ended_) co_await changed_.async_wait(use_task);
        if (waiting_.empty()) co_return;
        if (!before_) {
            auto count = [path = path_, begin = begin_] { return stages::lines_before(path, begin); };
            auto counting = run_blocking(x_.blocking, std::move(count));
            const auto counted = co_await std::move(counting);
            before_ = counted.has_value() ? *counted : 0;
            if (counted.has_error())
                x_.log.warning("the lines of a file cannot be counted; their numbers are of a part of it",
                               {{"reason", counted.error().context()}});
        }
        for (auto r : std::exchange(waiting_, {})) {
            r.line += *before_;
            to_(r);
        }
    }
}

task<> part_refusals::end_with(task<> work) {
    co_await std::move(work);
    ended_ = true;
    changed_.wake_all();
}

}  // namespace firehose::app
