// What the rule for co_await allows. Read by the lint's own test.
#include "pipeline/task.hpp"

#include <memory>
#include <string>
#include <utility>

namespace firehose {

task<bool> ready() { co_return true; }
task<int> number(int n) { co_return n; }
task<int> text(std::string s) { co_return static_cast<int>(s.size()); }
task<int> take(std::unique_ptr<int> p) { co_return *p; }
template <class F> task<int> call(F f) { co_return f(); }

class thing {
public:
    task<int> member() {
        auto n = co_await call([this] { return value_; });
        co_return n;
    }

private:
    int value_ = 3;
};

task<int> good(std::string s, std::unique_ptr<int> p) {
    auto is_ready = co_await ready();
    if (!is_ready) co_return 0;
    while (is_ready) is_ready = co_await ready();
    for (int i = 0; i < 3; ++i) co_await ready();
    auto length = co_await text(std::move(s));
    auto value = co_await take(std::move(p));
    auto named = number(length);
    auto n = co_await std::move(named);
    auto job = [n] { return n; };
    auto called = co_await call(job);
    const int chosen = is_ready ? called : value;
    thing t;
    auto m = co_await t.member();
    auto pair = std::make_pair(chosen, m);
    auto& [a, b] = pair;
    co_await ready();
    co_return co_await number(a + b);
}

}  // namespace firehose
