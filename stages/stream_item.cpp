#include "stages/stream_item.hpp"

#include "http/exchange.hpp"
#include "stages/stream_resources.hpp"
#include "storage/iso_time.hpp"

#include <simdjson.h>

namespace firehose::stages {

struct stream_item_writer::parser {
    simdjson::ondemand::parser fast{};
};

stream_item_writer::stream_item_writer(event_shape shape)
    : reader_(std::move(shape)), parser_(std::make_unique<parser>()) {}
stream_item_writer::~stream_item_writer() = default;
stream_item_writer::stream_item_writer(stream_item_writer&&) noexcept = default;

bool stream_item_writer::append_if(std::string& to, bytes_view event, std::string_view type,
                                   time_source::wall accepted) {
    const auto text = as_text(event);
    const simdjson::padded_string_view padded(text.data(), text.size(), text.size() + event_reader::padding);
    simdjson::ondemand::document document;
    std::string_view own;
    const bool typed = parser_->fast.iterate(padded).get(document) == simdjson::SUCCESS &&
                       document["meta"]["type"].get_string().get(own) == simdjson::SUCCESS;
    if ((typed ? own : untyped_event) != type) return false;
    if (!to.empty()) to += ',';
    if (typed) {
        to.append(text);
        return true;
    }
    event_reading read;
    (void)reader_.read(event, read);
    to.append(R"({"data":)").append(text);
    to.append(R"(,"meta":{"event_id":)").append(http::json_string(read.what.id));
    to.append(R"(,"event_type":"created","event_cause":"system","event_time":")");
    to.append(storage::to_iso_time(accepted));
    to.append(R"(","type":)").append(http::json_string(untyped_event)).append(R"(,"sequence":1}})");
    return true;
}

}  // namespace firehose::stages
