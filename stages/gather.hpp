/// Stage: gathers the events of one destination and partition into one NDJSON object (layout "batch").
#pragma once
#include "pipeline/stage.hpp"
#include "stages/gathering.hpp"

#include <memory>

namespace firehose::stages {

class delivery;  // stages/delivery.hpp

/// Stands between normalize_config and the uploads: events in, objects out, each as one event that knows its
/// key, how many events it holds and how it is packed. Every event's obligation has the verdict of its
/// object. What no object can be made of, an event with a problem or a target with one, passes through as it
/// is.
///
/// Objects are lines of JSON, each event byte for byte as it came, with a newline behind it: Content-Type
/// application/x-ndjson, Content-Encoding by the packing, and a name that ends in .ndjson, .ndjson.gz or
/// .ndjson.zst. Athena, Spark and Snowflake unpack by the ending and pass over the header; browsers and HTTP
/// clients go by the header.
///
/// Durable plans: with a plan, the cut of an object is on disk before the object leaves this stage, so that
/// the same input, read again after a crash, gives the same objects with the same names and bytes. When the
/// plan cannot be written, the objects report `lost`.
///
/// Large objects: with files, what is packed of one goes to disk in pieces while it grows, and from there to
/// its destinations; then `bytes` may be larger than `memory`. Parts may be sent before the object is whole,
/// but none of it can be seen there before its plan is on disk: an upload in parts is completed by the
/// delivery. When a file cannot be written, its object reports `lost`.
///
/// Memory: `batch_options::memory`, however many partitions are open. Waits while what is on its way would
/// exceed its half of it. Ends when its input has ended, with everything cut. Cancelled: what was gathered
/// reports `lost`.
class gather {
public:
    using input_type = event;
    using output_type = event;

    struct options {
        batch_options how{};
        /// Of the input, or of the log it comes from; empty: an input that cannot be read again.
        std::shared_ptr<cut_plan> plan{};
        /// Where objects of more than batch_options::in_memory go, and others when memory runs short; null:
        /// they stay in memory.
        std::shared_ptr<object_files> files{};
        /// Where the uploads behind this stage deliver: the first parts of objects in files are sent there
        /// while the objects grow, if their key is known at the start. Null: objects are sent when they are
        /// whole.
        std::shared_ptr<delivery> ahead{};
    };

    explicit gather(options how) : how_(std::move(how)) {}

    task<> run(receiver<event> in, sender<event> out, context& x);

private:
    options how_;
};

}  // namespace firehose::stages
