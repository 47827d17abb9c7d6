#include "tests/compile_fail/parts.hpp"

using firehose::operator|;

/// Nothing goes into a source.
auto broken() { return shop::prices_orders{} | shop::reads_orders{}; }
