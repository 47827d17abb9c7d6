/// `source | stage | sink`: closed under `|`, checked at compile time, one bounded edge per `|`.
#pragma once
#include "pipeline/scope.hpp"
#include "pipeline/stage.hpp"

#include <concepts>
#include <type_traits>
#include <utility>

namespace firehose {

/// A stage without a coroutine of its own: it is attached to its neighbour's end instead of getting
/// an edge. transform() makes one.
template <class S>
concept fused_stage =
    stage<S> && requires(S s, receiver<typename S::input_type> in, sender<typename S::output_type> out) {
        { s.attach(std::move(in)) } -> std::same_as<receiver<typename S::output_type>>;
        { s.attach(std::move(out)) } -> std::same_as<sender<typename S::input_type>>;
    };
/// Anything that may stand in a composition.
template <class S>
concept part = source<S> || stage<S> || sink<S> || runnable<S>;
/// Takes its input type from the part on its left: bind<T>() gives the stage.
template <class S>
concept binds_late = requires { typename S::binds_to_the_left; };

/// Two connected parts. Owns both; the children of run() refer to them, so it stays where it is
/// while it runs. Running ends when both have ended; the failure of one cancels the other.
template <class L, class R> struct joined;

/// Whole pipeline.
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

/// Longer source.
template <class L, class R> requires source<L> && stage<R> struct joined<L, R> {
    using output_type = typename R::output_type;
    L l;
    R r;
    task<> run(sender<output_type> out, context& x) {
        if constexpr (fused_stage<R>) {
            return l.run(r.attach(std::move(out)), x);
        } else {
            return with_scope(x.ex, [this, &x, out = std::move(out)](task_scope& s) mutable {
                auto e = make_edge<typename L::output_type>(x);
                s.spawn(l.run(sender(e), x));
                s.spawn(r.run(receiver(e), std::move(out), x));
            });
        }
    }
};

/// Longer sink.
template <class L, class R> requires stage<L> && sink<R> struct joined<L, R> {
    using input_type = typename L::input_type;
    L l;
    R r;
    task<> run(receiver<input_type> in, context& x) {
        if constexpr (fused_stage<L>) {
            return r.run(l.attach(std::move(in)), x);
        } else {
            return with_scope(x.ex, [this, &x, in = std::move(in)](task_scope& s) mutable {
                auto e = make_edge<typename L::output_type>(x);
                s.spawn(l.run(std::move(in), sender(e), x));
                s.spawn(r.run(receiver(e), x));
            });
        }
    }
};

/// Longer stage.
template <class L, class R> requires stage<L> && stage<R> struct joined<L, R> {
    using input_type = typename L::input_type;
    using output_type = typename R::output_type;
    L l;
    R r;
    task<> run(receiver<input_type> in, sender<output_type> out, context& x) {
        if constexpr (fused_stage<R>) {
            return l.run(std::move(in), r.attach(std::move(out)), x);
        } else if constexpr (fused_stage<L>) {
            return r.run(l.attach(std::move(in)), std::move(out), x);
        } else {
            return with_scope(x.ex,
                              [this, &x, in = std::move(in), out = std::move(out)](task_scope& s) mutable {
                                  auto e = make_edge<typename L::output_type>(x);
                                  s.spawn(l.run(std::move(in), sender(e), x));
                                  s.spawn(r.run(receiver(e), std::move(out), x));
                              });
        }
    }
    receiver<output_type> attach(receiver<input_type> in) requires fused_stage<L> && fused_stage<R> {
        return r.attach(l.attach(std::move(in)));
    }
    sender<input_type> attach(sender<output_type> out) requires fused_stage<L> && fused_stage<R> {
        return l.attach(r.attach(std::move(out)));
    }
};

/// Why two parts do not connect. The compiler prints the name with the types in it.
namespace mismatch {
template <class> inline constexpr bool never = false;

template <class Left, class Right, class LeftGives, class RightTakes> struct item_types_differ {
    static_assert(std::same_as<LeftGives, RightTakes>,
                  "firehose: the left part's output_type is not the right part's input_type");
};
template <class Left, class Right> struct left_part_gives_nothing {
    static_assert(never<Left>,
                  "firehose: the part left of | is a sink or a whole pipeline, nothing comes out");
};
template <class Left, class Right> struct right_part_takes_nothing {
    static_assert(never<Right>,
                  "firehose: the part right of | is a source or a whole pipeline, nothing goes in");
};
template <class NotAPart, class Other> struct not_a_part {
    static_assert(
        never<NotAPart>,
        "firehose: this type is no source, stage or sink: it needs input_type and/or output_type and "
        "task<> run(receiver<input_type>, sender<output_type>, context&) without what it does not have");
};

template <class L, class R> auto explain() {
    if constexpr (!part<L>)
        return not_a_part<L, R>{};
    else if constexpr (!part<R>)
        return not_a_part<R, L>{};
    else if constexpr (!source<L> && !stage<L>)
        return left_part_gives_nothing<L, R>{};
    else if constexpr (!stage<R> && !sink<R>)
        return right_part_takes_nothing<L, R>{};
    else
        return item_types_differ<L, R, typename L::output_type, typename R::input_type>{};
}
}  // namespace mismatch

/// Parts of another namespace need `using firehose::operator|;`, since argument-dependent lookup
/// does not look here for them. chain(a, b, c) is the same without it.
template <class L, class R> requires connects_to<std::remove_cvref_t<L>, std::remove_cvref_t<R>>
auto operator|(L&& l, R&& r) {
    return joined<std::remove_cvref_t<L>, std::remove_cvref_t<R>>{std::forward<L>(l), std::forward<R>(r)};
}

template <class L, class R>
requires(source<std::remove_cvref_t<L>> || stage<std::remove_cvref_t<L>>) &&
        binds_late<std::remove_cvref_t<R>>
auto operator|(L&& l, R&& r) {
    using item = typename std::remove_cvref_t<L>::output_type;
    return std::forward<L>(l) | std::forward<R>(r).template bind<item>();
}

/// Never compiles: says what is wrong, in terms of the parts.
template <class L, class R>
requires(part<std::remove_cvref_t<L>> || part<std::remove_cvref_t<R>>) &&
        (!connects_to<std::remove_cvref_t<L>, std::remove_cvref_t<R>>) &&
        (!binds_late<std::remove_cvref_t<R>>)auto
operator|(L&&, R&&) {
    return mismatch::explain<std::remove_cvref_t<L>, std::remove_cvref_t<R>>();
}

template <class... Parts> auto chain(Parts&&... parts) { return (... | std::forward<Parts>(parts)); }

}  // namespace firehose
