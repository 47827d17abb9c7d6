#include "tests/compile_fail/parts.hpp"

using firehose::operator|;

/// Nothing comes out of a sink.
auto broken() { return shop::stores_orders{} | shop::prices_orders{}; }
