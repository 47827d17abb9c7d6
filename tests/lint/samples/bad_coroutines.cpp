// Every line marked BAD breaks the rule for co_await in its own way. Never compiled into anything: the
// lint reads it to show that it still sees each of them.
#include "pipeline/task.hpp"

#include <array>
#include <string>
#include <utility>

namespace firehose {

struct options {
    int a = 0;
    std::string b{};
};

task<bool> ready() { co_return true; }
task<int> number(int n) { co_return n; }
task<int> with(options o) { co_return o.a; }
task<int> text(std::string s) { co_return static_cast<int>(s.size()); }
task<std::pair<int, int>> both() { co_return std::make_pair(1, 2); }
template <class F> task<int> call(F f) { co_return f(); }

task<int> in_if() {
    if (co_await ready()) co_return 1;  // BAD
    co_return 0;
}
task<int> in_if_with_variable() {
    if (auto x = co_await ready(); x) co_return 1;  // fine: a statement of its own
    if (auto x = co_await ready()) co_return x ? 1 : 0;  // BAD
    co_return 0;
}
task<> in_while() {
    while (co_await ready()) {}  // BAD
}
task<> in_for() {
    for (int i = 0; co_await ready(); ++i) {}  // BAD
}
task<> in_do() {
    do {                         // BAD
    } while (!co_await ready());
}
task<> in_switch() {
    switch (co_await number(1)) {  // BAD
        default: break;
    }
}
task<int> braced_argument() {
    auto n = co_await with({1, "b"});  // BAD
    co_return n;
}
task<int> in_braces() {
    options o{co_await number(1), "b"};  // BAD
    co_return o.a;
}
task<int> conditional_around(bool c) {
    auto n = c ? co_await number(1) : 2;  // BAD
    co_return n;
}
task<int> conditional_inside(bool c) {
    auto n = co_await text(c ? std::string("a") : std::string("b"));  // BAD
    co_return n;
}
task<bool> logical(bool c) {
    const bool b = c && co_await ready();  // BAD
    co_return b;
}
task<int> nested() {
    auto n = co_await number(co_await number(1));  // BAD
    co_return n;
}
task<int> capturing(std::string s) {
    auto n = co_await call([s] { return static_cast<int>(s.size()); });  // BAD
    co_return n;
}
task<int> binding() {
    auto [a, b] = co_await both();  // BAD
    co_return a + b;
}
template <class T> task<T> in_a_template(T value) {
    if (co_await ready()) co_return value;  // BAD
    co_return T();
}
template task<int> in_a_template(int);

}  // namespace firehose
