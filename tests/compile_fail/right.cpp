#include "tests/compile_fail/parts.hpp"

using firehose::operator|;

/// What is right compiles: the others fail for their own reason and no other.
auto broken() { return shop::reads_orders{} | shop::prices_orders{} | shop::stores_orders{}; }
