#include "tests/compile_fail/parts.hpp"

using firehose::operator|;

/// The same by chain(), with the mistake in the middle.
auto broken() {
    return firehose::chain(shop::reads_orders{}, shop::prices_orders{}, shop::prices_orders{},
                           shop::stores_orders{});
}
