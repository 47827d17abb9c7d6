/// Per-item functions without a coroutine or an edge of their own.
#pragma once
#include "pipeline/compose.hpp"

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace firehose {

namespace detail {

template <class R> struct transform_result {
    using type = R;
    static constexpr bool filters = false;
};
template <class R> struct transform_result<std::optional<R>> {
    using type = R;
    static constexpr bool filters = true;
};

/// The argument of a callable with one signature; void where it cannot be told (generic lambdas).
template <class F> struct only_argument {
    using type = void;
};
template <class F> requires requires { &F::operator(); } struct only_argument<F> {
    template <class R, class A> static A of(R (F::*)(A));
    template <class R, class A> static A of(R (F::*)(A) const);
    template <class R, class A> static A of(R (F::*)(A) noexcept);
    template <class R, class A> static A of(R (F::*)(A) const noexcept);
    using type = std::remove_cvref_t<decltype(of(&F::operator()))>;
};
template <class R, class A> struct only_argument<R (*)(A)> {
    using type = std::remove_cvref_t<A>;
};

/// Takes the obligation over only when nothing can fail any more. nullopt: every item was dropped,
/// and the batch is resolved `stored`, since there is nothing left to do for it.
template <class U, class A, class F> std::optional<batch<U>> map_items(F& f, batch<A>& b) {
    std::vector<U> items;
    items.reserve(b.items().size());
    for (const A& item : b.items()) {
        auto made = f(item);
        if constexpr (transform_result<decltype(made)>::filters) {
            if (made) items.push_back(std::move(*made));
        } else {
            items.push_back(std::move(made));
        }
    }
    if (items.empty()) {
        b.take_ack().resolve(outcome::stored);
        return std::nullopt;
    }
    batch<U> out(std::move(items), b.bytes(), {}, b.slabs());
    return out.with_ack(b.take_ack());
}

template <class A, class U, class F> struct mapped_inlet final : inlet<U> {
    mapped_inlet(F& by, receiver<A> source) : f(by), from(std::move(source)) {}

    task<std::optional<batch<U>>> next() override {
        for (;;) {
            auto b = co_await from.next();
            if (!b) co_return std::nullopt;
            auto mapped = map_items<U>(f, *b);
            if (mapped) co_return mapped;
        }
    }
    std::optional<batch<U>> try_next() override {
        while (auto b = from.try_next())
            if (auto mapped = map_items<U>(f, *b)) return mapped;
        return std::nullopt;
    }
    task<> readable() override { return from.readable(); }
    void nudge() override { from.nudge(); }
    bool ended() const override { return from.ended(); }

    F& f;
    receiver<A> from;
};

template <class A, class U, class F> struct mapped_outlet final : outlet<A> {
    mapped_outlet(F& by, sender<U> target) : f(by), to(std::move(target)) {}

    /// Whatever is not taken goes back to the caller with its obligation, also when the push throws.
    struct give_back {
        batch<A>& original;
        batch<U>& mapped;
        ~give_back() { original = original.with_ack(mapped.take_ack()); }
    };
    task<bool> push(batch<A>& b) override {
        auto mapped = map_items<U>(f, b);
        if (!mapped) co_return true;
        const give_back on_return{b, *mapped};
        co_return co_await to.push(*mapped);
    }

    F& f;
    sender<U> to;
};

}  // namespace detail

/// The stage transform() makes. The function may be called at any time while the neighbour runs.
template <class A, class F> struct transformed {
    using mapped_type = detail::transform_result<std::invoke_result_t<F&, const A&>>;
    using input_type = A;
    using output_type = std::remove_cvref_t<typename mapped_type::type>;
    F f;

    receiver<output_type> attach(receiver<A> in) {
        return receiver<output_type>(
            std::make_unique<detail::mapped_inlet<A, output_type, F>>(f, std::move(in)));
    }
    sender<A> attach(sender<output_type> out) {
        return sender<A>(std::make_unique<detail::mapped_outlet<A, output_type, F>>(f, std::move(out)));
    }
    task<> run(receiver<A> in, sender<output_type> out, context&) {
        return carry(std::move(in), attach(std::move(out)));
    }

private:
    static task<> carry(receiver<A> in, sender<A> out) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            const bool taken = co_await out.push(*b);
            if (!taken) co_return;
        }
    }
};

/// A transform whose item type comes from the part on its left.
template <class F> struct late_transform {
    using binds_to_the_left = void;
    F f;
    template <class A> auto bind() const& { return transformed<A, F>{f}; }
    template <class A> auto bind() && { return transformed<A, F>{std::move(f)}; }
};

/// transform(f) with f: const A& -> U, or -> std::optional<U> where nullopt drops the item. Slabs and
/// obligation of the batch stay with the result, so a U may point into the slabs (not into the A). A
/// dropped item counts as stored. An exception of f ends the neighbour's run; its batch is `lost`.
/// A generic f takes its type from the left, or from transform<A>(f).
template <class F> auto transform(F f) {
    using A = typename detail::only_argument<F>::type;
    if constexpr (std::is_void_v<A>)
        return late_transform<F>{std::move(f)};
    else
        return transformed<A, F>{std::move(f)};
}
template <class A, class F> requires std::invocable<F&, const A&> auto transform(F f) {
    return transformed<A, F>{std::move(f)};
}

}  // namespace firehose
