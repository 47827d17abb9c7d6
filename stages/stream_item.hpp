/// An accepted event as an item of an event stream.
#pragma once
#include "pipeline/time_source.hpp"
#include "stages/event_reader.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace firehose::stages {

/// An event with a string at /meta/type is of that type, and an item as it is, byte for byte. Any other is a
/// `lead_event` and becomes the `data` of an item, byte for byte as well, beside a `meta` made here: event_id
/// is the event's id, event_type "created", event_cause "system", event_time when it was accepted, sequence
/// 1, since such events never change. Single shard.
class stream_item_writer {
public:
    explicit stream_item_writer(event_shape shape);
    ~stream_item_writer();
    stream_item_writer(stream_item_writer&&) noexcept;

    /// Appends the item if the event is of that type, after a comma unless it is the first; whether it is.
    /// `event` has been accepted, so it is JSON; `event_reader::padding` readable bytes follow it.
    bool append_if(std::string& to, bytes_view event, std::string_view type, time_source::wall accepted);

private:
    struct parser;
    event_reader reader_;
    std::unique_ptr<parser> parser_;
};

}  // namespace firehose::stages
