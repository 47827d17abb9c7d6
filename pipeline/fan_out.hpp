#pragma once
#include "pipeline/compose.hpp"

namespace firehose {
/// Gives every branch its own edge, its own obligation and its own failure. A branch that throws takes
/// down only itself; what it held, had queued or would still get reports `lost`, so nothing commits past it.
template <class T, sink... Bs> struct fan_out_sink {
    using input_type = T;
    std::tuple<Bs...> branches;

    task<> run(receiver<T> in, context& x) {
        return with_scope(x.ex, [this, &x, in = std::move(in)](task_scope& s) mutable {
            std::vector<sender<T>> outs;
            std::apply([&](auto&... b) { (start(b, outs, s, x), ...); }, branches);
            return pump(in, std::move(outs));
        });
    }

private:
    task<> pump(receiver<T>& in, std::vector<sender<T>> outs) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;  // outs close, branches drain
            for (auto& out : outs) {
                auto copy = b->share();
                co_await out.push(copy);  // refused: copy says `lost` right here
            }
            b->take_ack().resolve(outcome::stored);  // our own part is done
        }
    }
    template <class B> static void start(B& b, std::vector<sender<T>>& outs, task_scope& s, context& x) {
        auto e = make_edge<T>(x);
        outs.emplace_back(e);
        s.spawn(isolate(b, receiver<T>(e), x));
    }
    template <class B> static task<> isolate(B& b, receiver<T> in, context& x) {
        try {
            co_await b.run(std::move(in), x);
        } catch (const std::exception&) {  // logged and counted here
        }
    }
};

template <sink B, sink... Bs> requires(std::same_as<typename B::input_type, typename Bs::input_type> && ...)
auto fan_out(B b, Bs... bs) {
    return fan_out_sink<typename B::input_type, B, Bs...>{{std::move(b), std::move(bs)...}};
}
}  // namespace firehose
