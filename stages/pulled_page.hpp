/// One page of an event stream: its events byte for byte, and where the next page begins.
#pragma once
#include "pipeline/bytes.hpp"
#include "pipeline/error.hpp"
#include "stages/event_reader.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

/// The positions every stream knows: the oldest event it has, and its end.
inline constexpr std::string_view tail_position = "tail";
inline constexpr std::string_view top_position = "top";

/// `bytes` point into the page's `backing`, in which `event_reader::padding` bytes follow.
struct pulled_event {
    bytes_view bytes{};
    std::string type{};  ///< meta.type; empty when there is none
    std::string id{};    ///< data.id, likewise
    std::optional<std::uint64_t> sequence{};
};

struct pulled_page {
    std::vector<pulled_event> events{};
    std::string position{};  ///< what to ask for next
    bool top = false;        ///< the end had been reached when the page was made
    slab backing{};
};

/// What an answer of `GET /v3/{resource}/stream` says: {"items": [...], "meta": {"position": "...", "top":
/// ...}}. Unknown members are passed over, also inside of events, of which nothing is required but that they
/// are JSON objects. `meta.links.next` is not followed: where requests go is the configuration's business.
/// The API's documentation: "Firehose API" of Zendesk Sell. Single shard; its memory is reused.
class page_reader {
public:
    page_reader();

    /// A page that is not usable as a whole is an error that names the place by JSON Pointer and quotes
    /// nothing; its disposition is retry, because the next answer may be better.
    result<pulled_page> read(std::string body);

private:
    result<std::vector<pulled_event>> read_items(std::string_view items);

    event_reader reader_;
};

}  // namespace firehose::stages
