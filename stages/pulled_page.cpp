#include "stages/pulled_page.hpp"

#include "stages/json_elements.hpp"
#include "stages/key_template.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <memory>

namespace firehose::stages {
namespace json = boost::json;
namespace {

constexpr std::size_t longest_position = 4096;

error unusable(std::string_view place, std::string_view why) {
    std::string text = "the page is not usable: ";
    if (!place.empty()) text.append(place).append(" ");
    return {disposition::retry, text.append(why)};
}

event_shape shape_of_items() {
    event_shape shape;
    shape.id = {"/meta/event_id"};
    shape.group = {"/data/id"};
    shape.flow = {};
    shape.fields = {"/meta/type", "/meta/sequence"};
    return shape;
}

std::optional<std::uint64_t> parse_sequence(std::string_view text) {
    std::uint64_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    return problem == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

/// It is sent back as it came, and kept in a file of lines.
bool is_position(std::string_view text) {
    const auto plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; };
    const bool names_none = text == tail_position || text == top_position;  // what they mean moves
    return !text.empty() && text.size() <= longest_position && std::ranges::all_of(text, plain) &&
           !names_none;
}

/// Fills position and top.
std::optional<error> read_meta(std::string_view text, pulled_page& out) {
    boost::system::error_code ec;
    const json::value meta = json::parse(text, ec);
    if (ec) return unusable("/meta", "is not JSON: " + ec.message());
    if (!meta.is_object()) return unusable("/meta", "is not an object");
    const auto* position = meta.get_object().if_contains("position");
    if (position == nullptr) return unusable("/meta/position", "is missing");
    if (!position->is_string() || !is_position(position->get_string()))
        return unusable(
            "/meta/position",
            "must be a string of 1 to 4096 bytes without control characters that is neither tail nor top");
    const auto* top = meta.get_object().if_contains("top");
    if (top == nullptr) return unusable("/meta/top", "is missing");
    if (!top->is_bool()) return unusable("/meta/top", "must be true or false");
    out.position = position->get_string();
    out.top = top->get_bool();
    return std::nullopt;
}

/// Members nobody asks for must be JSON all the same: half of an answer is none.
std::optional<error> check_unknown(const json_member& member) {
    json::parse_options how;
    how.max_depth = 512;  // as events may have
    boost::system::error_code ec;
    json::parse(member.value, ec, {}, how);
    if (!ec) return std::nullopt;
    return unusable("", "a member beside \"items\" and \"meta\" is not JSON: " + ec.message());
}

}  // namespace

page_reader::page_reader() : reader_(shape_of_items()) {}

result<std::vector<pulled_event>> page_reader::read_items(std::string_view items) {
    std::vector<pulled_event> out;
    std::string problem;
    const auto texts = split_array(items, problem);
    if (!texts) return unusable("/items", "is no array of events: " + problem);
    out.reserve(texts->size());
    event_reading read;
    for (const auto text : *texts) {
        const auto why = reader_.read(as_bytes(text), read);
        if (!why.empty()) return unusable("/items/" + std::to_string(out.size()), "is no event: " + why);
        pulled_event one;
        one.bytes = as_bytes(text);
        one.id = std::move(read.what.group);
        if (read.what.fields[0] != no_value) one.type = std::move(read.what.fields[0]);
        one.sequence = parse_sequence(read.what.fields[1]);
        out.push_back(std::move(one));
    }
    return out;
}

result<pulled_page> page_reader::read(std::string body) {
    const auto size = body.size();
    const auto owner = std::make_shared<std::string>(std::move(body));
    owner->append(event_reader::padding, '\0');
    const auto text = std::string_view(*owner).substr(0, size);
    pulled_page out;
    out.backing = slab(owner, reinterpret_cast<const std::byte*>(owner->data()));

    std::string problem;
    const auto members = split_object(text, problem);
    if (!members) return unusable("", "not JSON as expected: " + problem);
    const json_member* items = nullptr;
    const json_member* meta = nullptr;
    for (const auto& member : *members) {
        const bool known = member.name == "items" || member.name == "meta";
        if (!known) {
            if (auto bad = check_unknown(member)) return *bad;
            continue;
        }
        auto& place = member.name == "items" ? items : meta;
        if (place != nullptr) return unusable("/" + std::string(member.name), "is there twice");
        place = &member;
    }
    if (items == nullptr) return unusable("/items", "is missing");
    if (meta == nullptr) return unusable("/meta", "is missing");
    if (auto bad = read_meta(meta->value, out)) return *bad;
    auto events = read_items(items->value);
    if (events.has_error()) return events.error();
    out.events = std::move(*events);
    return out;
}

}  // namespace firehose::stages
