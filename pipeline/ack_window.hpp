#pragma once
#include "pipeline/ack.hpp"
#include <deque>
#include <optional>

namespace firehose {
/// Positions open in order, settle in any order, commit as a prefix. `lost` stops the prefix:
/// the owner sees stalled(), calls restart() and fetches again from the last committed position.
/// Tokens may outlive the window, or an attempt of it; their verdicts then go nowhere.
class ack_window {
    struct slot {
        std::uint64_t position;
        std::optional<outcome> verdict;
    };
    struct book {
        std::function<void(std::uint64_t)> commit;
        std::deque<slot> slots{};
        std::uint64_t first = 0;

        void settle(std::uint64_t id, outcome o) {
            slots[id - first].verdict = o;
            std::optional<std::uint64_t> upto;
            while (!slots.empty() && slots.front().verdict && slots.front().verdict != outcome::lost) {
                upto = slots.front().position;
                slots.pop_front();
                ++first;
            }
            if (upto) commit(*upto);
        }
    };
    std::shared_ptr<book> book_;

public:
    explicit ack_window(std::function<void(std::uint64_t)> commit)
        : book_(std::make_shared<book>(book{std::move(commit)})) {}

    ack_token open(std::uint64_t position) {
        const auto id = book_->first + book_->slots.size();
        book_->slots.push_back({position, std::nullopt});
        return ack_token([weak = std::weak_ptr<book>(book_), id](outcome o) {
            if (auto b = weak.lock()) b->settle(id, o);
        });
    }
    void restart() { book_ = std::make_shared<book>(book{book_->commit}); }
    std::size_t in_flight() const noexcept { return book_->slots.size(); }
    bool stalled() const noexcept {
        return !book_->slots.empty() && book_->slots.front().verdict == outcome::lost;
    }
};
}  // namespace firehose
