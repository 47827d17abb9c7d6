#include "tests/compile_fail/parts.hpp"

using firehose::operator|;

/// A class without run().
auto broken() { return shop::reads_orders{} | shop::forgot_to_run{}; }
