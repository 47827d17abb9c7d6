#include "tests/compile_fail/parts.hpp"

using firehose::operator|;

/// A source of one type into a sink of another: the pricing stage is missing.
auto broken() { return shop::reads_orders{} | shop::stores_orders{}; }
