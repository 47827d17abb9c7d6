/// One page of an event stream: the events of one type from a position on, within a second.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/log_window.hpp"
#include "stages/stream_item.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace firehose::stages {

struct stream_limits {
    std::chrono::milliseconds scan{800};  ///< then the page is answered as it is
    std::size_t scan_events = 200'000;    ///< likewise, after so many events of whatever type
    std::size_t page_bytes = 8u << 20;    ///< a page that has grown to this is full
};

struct stream_query {
    enum class start : std::uint8_t { tail, top, position };
    start from = start::position;
    log_position position = 0;  ///< the next event to read
    std::string type{};
    std::size_t limit = 25;
};

struct stream_page {
    std::string items{};  ///< JSON, with commas between
    std::size_t count = 0;
    log_position first = 0;  ///< where the page began
    log_position next = 0;   ///< where the next one does
    bool top = false;        ///< nothing was left behind `next` when the request came
};

/// One shard's reader; outlives its running calls. Each read of the log is bounded in bytes, and others get
/// their turn between two of them, and between two MiB of one block.
class stream_reader {
public:
    stream_reader(context& x, event_shape shape, stream_limits how, log_read_function read);

    /// The same position gives the same page, perhaps with more events at its end. A page may be empty
    /// although it is not the top one. An error's status() is what to answer: 410 for a position whose events
    /// may be gone, 400 for one behind the log's end, 503 when the log cannot be read. May be cancelled.
    task<result<stream_page>> read(stream_query what);

private:
    class scan;

    context& x_;
    stream_item_writer items_;
    const stream_limits how_;
    log_read_function read_;
};

}  // namespace firehose::stages
