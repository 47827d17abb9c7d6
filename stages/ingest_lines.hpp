/// Source: the lines of a file or of standard input, in batches, without copying a whole line.
#pragma once
#include "pipeline/ack_window.hpp"
#include "pipeline/stage.hpp"
#include "stages/account.hpp"
#include "stages/event.hpp"
#include "stages/line_splitter.hpp"
#include "stages/normalize_config.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace firehose::stages {

/// Reads NDJSON in any chunking: LF or CRLF, with or without a final newline. Blank lines are passed
/// over, lines longer than the limit are refused by number and offset. What the lines say is not
/// looked at here.
///
/// Ends when the input ends, when the shard drains, or when a batch came back `lost`; then it waits
/// until every batch has its verdict. A read that fails ends it too, with failure() set. May be
/// cancelled: batches on their way report to nobody.
class ingest_lines {
public:
    using output_type = raw_event;

    struct options {
        std::size_t read_bytes = 256 << 10;  ///< size of one read, and so about of one batch
        std::size_t max_line = 16 << 20;     ///< longer lines are refused
        /// Bytes and batches without a verdict before reading pauses: more than the destinations' queues
        /// hold, so that a full queue is noticed there, where something can be done about it.
        std::size_t max_in_flight_bytes = 32 << 20;
        std::size_t max_in_flight = 65'536;
        std::shared_ptr<account> books{};  ///< counts refused lines; may be empty
        refusal_sink refused{};            ///< may be empty
        /// Of a file that can be read from anywhere. Lines are then counted from the range's beginning.
        line_range range{};
    };

    /// What became of the input; shared, because the source itself moves into the pipeline.
    struct report {
        std::string failure{};    ///< not empty: reading stopped before the end, and why
        bool lost = false;        ///< a batch was neither stored nor kept; read the input again
        bool complete = false;    ///< the whole input, or the whole range of it, was read
        std::uint64_t lines = 0;  ///< seen, blank and refused ones included
        std::uint64_t bytes = 0;  ///< offset of the first one that was not read
    };

    /// `path` is opened when the pipeline runs; "-" is standard input.
    ingest_lines(std::string path, options how);

    std::shared_ptr<const report> outcome() const { return report_; }

    task<> run(sender<raw_event> out, context& x);

private:
    std::string path_;
    options how_;
    std::shared_ptr<report> report_ = std::make_shared<report>();
};

}  // namespace firehose::stages
