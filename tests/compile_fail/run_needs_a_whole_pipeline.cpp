#include "tests/compile_fail/parts.hpp"

/// A source alone cannot be run.
auto broken() {
    return firehose::run([](firehose::context&) { return shop::reads_orders{}; });
}
