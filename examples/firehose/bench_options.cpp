#include "examples/firehose/bench_options.hpp"

#include "examples/firehose/this_machine.hpp"

namespace firehose::app {

stages::workbench_options bench_options(const configuration& how, const storage::registry& stores) {
    stages::workbench_options bench;
    bench.base_directory = how.base_directory;
    bench.data_dir = how.data_dir;
    bench.stores = stores;
    bench.credentials = how.credentials;
    bench.delivery = how.delivery;
    bench.destinations = how.destinations;
    bench.http = how.http;
    bench.sqs = how.sqs;
    bench.machine = this_machine();
    return bench;
}

}  // namespace firehose::app
