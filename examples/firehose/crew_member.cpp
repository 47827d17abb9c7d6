#include "examples/firehose/crew_member.hpp"

#include "examples/firehose/bench_options.hpp"

#include <boost/asio/post.hpp>

#include <chrono>

namespace firehose::app {

/// However run() ends, whoever waits for an answer gets to know.
struct crew_member::at_work {
    crew_member& who;
    ~at_work() {
        if (who.bench_) who.post_books();
        who.bench_.reset();
        who.working_ = false;
        who.changed_->wake_all();
    }
};

task<> crew_member::run(context& x, executor first) {
    first_ = std::move(first);
    changed_ = std::make_unique<wait_queue>(x.ex);
    return work_until_the_end(x);
}

task<> crew_member::work_until_the_end(context& x) {
    const at_work until_the_end{*this};
    auto all = with_scope(x.ex, [this, &x](task_scope& s) {
        s.spawn(tell_books(x));
        return work(s, x);
    });
    co_await std::move(all);
}

task<> crew_member::work(task_scope& s, context& x) {
    while (wanted_) {
        if (!next_) {
            co_await changed_->async_wait(use_task);
            continue;
        }
        auto part = std::move(*next_);
        next_.reset();
        if (!bench_)
            bench_ = stages::workbench::open_beside(x, bench_options(how_, stores_), *first_, *home_);
        const bool good = co_await delivery_.deliver(std::move(part), nullptr, *bench_, x);
        post_books();
        answer_ = good;
        changed_->wake_all();
    }
    s.cancel();  // tell_books()
}

task<> crew_member::tell_books(context& x) {
    for (;;) {
        const auto soon = x.time.now() + std::chrono::milliseconds(250);
        co_await x.time.sleep_until(soon);
        if (bench_) post_books();
    }
}

void crew_member::post_books() {
    asio::post(*first_, [to = &books_, copy = *bench_->books()] { *to = copy; });
}

task<bool> crew_member::deliver(input_part what, const stages::workbench* home) {
    home_ = home;
    next_ = std::move(what);
    answer_.reset();
    changed_->wake_all();
    while (working_ && !answer_) co_await changed_->async_wait(use_task);
    co_return answer_.value_or(false);
}

task<bool> crew_member::end() {
    wanted_ = false;
    changed_->wake_all();
    while (working_) co_await changed_->async_wait(use_task);
    co_return true;
}

}  // namespace firehose::app
