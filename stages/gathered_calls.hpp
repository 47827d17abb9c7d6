/// Single calls that happen at the same time, carried out together by few calls for many.
#pragma once
#include "pipeline/wait_queue.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace firehose::stages {

/// The first caller goes at once; who comes while `at_once` calls are under way is taken along by the
/// next one, up to `most` together. Single shard; outlives its running calls. When the caller who carries
/// the others is cancelled, they are carried anew: items must bear being repeated.
template <class Item, class Answer> class gathered_calls {
public:
    /// Answers for each item, in their order.
    using call = std::function<task<std::vector<Answer>>(std::vector<Item>)>;

    gathered_calls(executor ex, call carry_out, std::size_t most = 10, std::size_t at_once = 4)
        : carry_out_(std::move(carry_out)), most_(most), at_once_(at_once), changed_(std::move(ex)) {}

    task<Answer> submit(Item item) {
        const place mine(*this, std::move(item));
        while (!mine.own->answer) {
            if (mine.own->taken || under_way_ >= at_once_)
                co_await changed_.async_wait(use_task);
            else
                co_await carry_some();
        }
        co_return std::move(*mine.own->answer);
    }

private:
    struct entry {
        explicit entry(Item i) : item(std::move(i)) {}
        Item item;
        bool taken = false;
        std::optional<Answer> answer{};
    };
    /// An entry in the line; a caller that goes away takes it out.
    struct place {
        place(gathered_calls& g, Item item) : of(g), own(std::make_shared<entry>(std::move(item))) {
            of.waiting_.push_back(own);
        }
        place(const place&) = delete;
        ~place() { std::erase(of.waiting_, own); }
        gathered_calls& of;
        std::shared_ptr<entry> own;
    };
    /// Entries that are being carried out; what has no answer in the end goes back to the head of the line.
    struct load {
        explicit load(gathered_calls& g) : of(g) {
            ++of.under_way_;
            while (!of.waiting_.empty() && entries.size() < of.most_) {
                entries.push_back(std::move(of.waiting_.front()));
                of.waiting_.pop_front();
                entries.back()->taken = true;
            }
        }
        load(const load&) = delete;
        ~load() {
            --of.under_way_;
            for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
                if ((*it)->answer) continue;
                (*it)->taken = false;
                if (it->use_count() > 1) of.waiting_.push_front(*it);
            }
            of.changed_.wake_all();
        }
        gathered_calls& of;
        std::vector<std::shared_ptr<entry>> entries{};
    };

    task<> carry_some() {
        load some(*this);
        std::vector<Item> items;
        for (const auto& one : some.entries) items.push_back(one->item);
        auto answers = co_await carry_out_(std::move(items));
        for (std::size_t i = 0; i < some.entries.size(); ++i)
            some.entries[i]->answer.emplace(std::move(answers[i]));
    }

    call carry_out_;
    std::size_t most_, at_once_;
    std::size_t under_way_ = 0;
    wait_queue changed_;
    std::deque<std::shared_ptr<entry>> waiting_;
};

}  // namespace firehose::stages
