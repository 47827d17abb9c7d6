#include "pipeline/ack_window.hpp"

#include <cassert>
#include <deque>
#include <optional>

namespace firehose {

struct ack_window::book {
    struct slot {
        std::uint64_t position;
        std::optional<outcome> verdict;
    };
    std::function<void(std::uint64_t)> commit;
    std::shared_ptr<wait_queue> changed;
    std::deque<slot> slots{};
    std::uint64_t first = 0;

    bool stalled() const { return !slots.empty() && slots.front().verdict == outcome::lost; }

    void settle(std::uint64_t id, outcome what) {
        slots[id - first].verdict = what;
        std::optional<std::uint64_t> upto;
        while (!slots.empty() && slots.front().verdict && slots.front().verdict != outcome::lost) {
            upto = slots.front().position;
            slots.pop_front();
            ++first;
        }
        if (changed && (upto || stalled())) changed->wake_all();
        if (upto) commit(*upto);
    }
};

ack_window::ack_window(std::function<void(std::uint64_t)> commit)
    : book_(std::make_shared<book>(book{std::move(commit), nullptr})) {}

ack_window::ack_window(std::function<void(std::uint64_t)> commit, executor ex)
    : changed_(std::make_shared<wait_queue>(std::move(ex))),
      book_(std::make_shared<book>(book{std::move(commit), changed_})) {}

ack_window::~ack_window() = default;

ack_token ack_window::open(std::uint64_t position) {
    const auto id = book_->first + book_->slots.size();
    book_->slots.push_back({position, std::nullopt});
    return ack_token([weak = std::weak_ptr<book>(book_), id](outcome what) {
        if (auto b = weak.lock()) b->settle(id, what);
    });
}

void ack_window::restart() {
    book_ = std::make_shared<book>(book{book_->commit, changed_});
    if (changed_) changed_->wake_all();
}

std::size_t ack_window::in_flight() const noexcept { return book_->slots.size(); }

bool ack_window::stalled() const noexcept { return book_->stalled(); }

task<> ack_window::room(std::size_t limit) {
    assert(changed_ && "waiting needs the constructor with an executor");
    while (in_flight() >= limit && !stalled()) co_await changed_->async_wait(use_task);
}

}  // namespace firehose
