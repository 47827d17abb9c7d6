/// The parts that the wrong compositions are made of.
#pragma once
#include "pipeline/pipeline.hpp"

namespace shop {

struct raw_order {};
struct priced_order {};

struct reads_orders {
    using output_type = raw_order;
    firehose::task<> run(firehose::sender<raw_order> out, firehose::context& x);
};
struct prices_orders {
    using input_type = raw_order;
    using output_type = priced_order;
    firehose::task<> run(firehose::receiver<raw_order> in, firehose::sender<priced_order> out,
                         firehose::context& x);
};
struct stores_orders {
    using input_type = priced_order;
    firehose::task<> run(firehose::receiver<priced_order> in, firehose::context& x);
};
struct forgot_to_run {
    using input_type = raw_order;
};

}  // namespace shop
