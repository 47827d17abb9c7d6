#pragma once
#include "pipeline/scope.hpp"
#include "pipeline/stage.hpp"
#include <tuple>

namespace firehose {
template <class L, class R> struct joined;

template <class L, class R> requires source<L> && sink<R> struct joined<L, R> {
    L l;
    R r;
    task<> run(context& x) {
        return with_scope(x.ex, [this, &x](task_scope& s) {
            auto e = make_edge<typename L::output_type>(x);
            s.spawn(l.run(sender(e), x));
            s.spawn(r.run(receiver(e), x));
        });
    }
};

template <class L, class R> requires source<L> && stage<R> struct joined<L, R> {
    using output_type = typename R::output_type;
    L l;
    R r;
    task<> run(sender<output_type> out, context& x) {
        return with_scope(x.ex, [this, &x, out = std::move(out)](task_scope& s) mutable {
            auto e = make_edge<typename L::output_type>(x);
            s.spawn(l.run(sender(e), x));
            s.spawn(r.run(receiver(e), std::move(out), x));
        });
    }
};

template <class L, class R> requires stage<L> && sink<R> struct joined<L, R> {
    using input_type = typename L::input_type;
    L l;
    R r;
    task<> run(receiver<input_type> in, context& x) {
        return with_scope(x.ex, [this, &x, in = std::move(in)](task_scope& s) mutable {
            auto e = make_edge<typename L::output_type>(x);
            s.spawn(l.run(std::move(in), sender(e), x));
            s.spawn(r.run(receiver(e), x));
        });
    }
};

template <class L, class R> requires stage<L> && stage<R> struct joined<L, R> {
    using input_type = typename L::input_type;
    using output_type = typename R::output_type;
    L l;
    R r;
    task<> run(receiver<input_type> in, sender<output_type> out, context& x) {
        return with_scope(x.ex, [this, &x, in = std::move(in), out = std::move(out)](task_scope& s) mutable {
            auto e = make_edge<typename L::output_type>(x);
            s.spawn(l.run(std::move(in), sender(e), x));
            s.spawn(r.run(receiver(e), std::move(out), x));
        });
    }
};

/// Parts of another namespace need `using firehose::operator|;`, since argument-dependent lookup
/// does not look here for them. chain(a, b, c) is the same without it.
template <class L, class R> requires connects_to<std::remove_cvref_t<L>, std::remove_cvref_t<R>>
auto operator|(L&& l, R&& r) {
    return joined<std::remove_cvref_t<L>, std::remove_cvref_t<R>>{std::forward<L>(l), std::forward<R>(r)};
}
template <class... Parts> auto chain(Parts&&... parts) { return (... | std::forward<Parts>(parts)); }
}  // namespace firehose
