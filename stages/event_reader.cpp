#include "stages/event_reader.hpp"

#include "stages/key_template.hpp"
#include "storage/text_hash.hpp"

#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <simdjson.h>

namespace firehose::stages {
namespace json = boost::json;

namespace {

constexpr std::size_t max_depth = 512;

/// A scalar found in a document, or why it can not serve as an identity.
struct scalar {
    std::optional<std::string> text{};  ///< none: absent or null
    std::string problem{};
};

std::string not_an_identity(std::string_view what) {
    return std::string("is ").append(what).append(", not a string or an integer");
}

// Three documents, one set of questions: simdjson's for nearly every event, the one it reads on demand for
// those that are not checked in full, Boost.JSON's for the few that simdjson refuses although they are JSON
// (integers and exponents beyond 64 bits).

/// Read from the front for each question. `broken` is set by whatever is not JSON, or not plain, wherever a
/// question comes upon it: then only the full check knows.
struct on_demand {
    simdjson::ondemand::document& document;
    bool& broken;
};
struct value_on_demand {
    simdjson::ondemand::value value;
    bool& broken;

    simdjson::ondemand::json_type type() {
        simdjson::ondemand::json_type what = simdjson::ondemand::json_type::null;
        broken = value.type().get(what) != simdjson::SUCCESS || broken;
        return what;
    }
    bool is_bool() { return type() == simdjson::ondemand::json_type::boolean; }
};

std::optional<value_on_demand> find(const on_demand& in, const std::string& pointer) {
    simdjson::ondemand::value found;
    const auto error = in.document.at_pointer(pointer).get(found);
    if (error == simdjson::SUCCESS) return value_on_demand{found, in.broken};
    const bool absent = error == simdjson::NO_SUCH_FIELD || error == simdjson::INCORRECT_TYPE ||
                        error == simdjson::INDEX_OUT_OF_BOUNDS || error == simdjson::INVALID_JSON_POINTER;
    in.broken = in.broken || !absent;
    return std::nullopt;
}

std::optional<simdjson::dom::element> find(simdjson::dom::element document, const std::string& pointer) {
    simdjson::dom::element found;
    if (document.at_pointer(pointer).get(found) != simdjson::SUCCESS) return std::nullopt;
    return found;
}

const json::value* find(const json::value& document, const std::string& pointer) {
    boost::system::error_code ec;
    return document.find_pointer(pointer, ec);
}

scalar read_scalar(simdjson::dom::element value) {
    using simdjson::dom::element_type;
    switch (value.type()) {
        case element_type::STRING: return {std::string(std::string_view(value)), {}};
        case element_type::INT64: return {std::to_string(std::int64_t(value)), {}};
        case element_type::UINT64: return {std::to_string(std::uint64_t(value)), {}};
        case element_type::NULL_VALUE: return {};
        case element_type::BOOL: return {{}, not_an_identity("a boolean")};
        case element_type::DOUBLE: return {{}, not_an_identity("a fraction")};
        case element_type::ARRAY: return {{}, not_an_identity("an array")};
        case element_type::OBJECT: return {{}, not_an_identity("an object")};
    }
    return {};
}

scalar read_scalar(value_on_demand& from) {
    using simdjson::ondemand::json_type;
    switch (from.type()) {
        case json_type::string: {
            std::string_view text;
            from.broken = from.value.get_string().get(text) != simdjson::SUCCESS || from.broken;
            return {std::string(text), {}};
        }
        case json_type::number: {
            simdjson::ondemand::number n;
            from.broken = from.value.get_number().get(n) != simdjson::SUCCESS || from.broken;
            if (n.is_int64()) return {std::to_string(n.get_int64()), {}};
            if (n.is_uint64()) return {std::to_string(n.get_uint64()), {}};
            return {{}, not_an_identity("a fraction")};
        }
        case json_type::boolean: return {{}, not_an_identity("a boolean")};
        case json_type::array: return {{}, not_an_identity("an array")};
        case json_type::object: return {{}, not_an_identity("an object")};
        case json_type::null: break;
    }
    return {};
}

scalar read_scalar(const json::value& value) {
    switch (value.kind()) {
        case json::kind::string: return {std::string(value.get_string()), {}};
        case json::kind::int64: return {std::to_string(value.get_int64()), {}};
        case json::kind::uint64: return {std::to_string(value.get_uint64()), {}};
        case json::kind::null: return {};
        case json::kind::bool_: return {{}, not_an_identity("a boolean")};
        case json::kind::double_: return {{}, not_an_identity("a fraction")};
        case json::kind::array: return {{}, not_an_identity("an array")};
        case json::kind::object: return {{}, not_an_identity("an object")};
    }
    return {};
}

bool is_null(simdjson::dom::element value) { return value.is_null(); }
bool is_null(const json::value& value) { return value.is_null(); }
bool is_null(value_on_demand& value) { return value.type() == simdjson::ondemand::json_type::null; }
bool is_object(simdjson::dom::element value) { return value.is_object(); }
/// Its last byte was looked at by whoever made it.
bool is_object(const on_demand& in) {
    simdjson::ondemand::json_type what = simdjson::ondemand::json_type::null;
    in.broken = in.document.type().get(what) != simdjson::SUCCESS || in.broken;
    return what == simdjson::ondemand::json_type::object;
}
bool is_object(const json::value& value) { return value.is_object(); }
std::string to_text(simdjson::dom::element value) { return simdjson::minify(value); }
std::string to_text(const json::value& value) { return json::serialize(value); }
std::string to_text(value_on_demand& from) {
    bool value = false;
    // What an event says of its own routing is worth the full check.
    const bool other = !from.is_bool() || from.value.get_bool().get(value) != simdjson::SUCCESS;
    from.broken = from.broken || other;
    return value ? "true" : "false";
}

/// The first of `pointers` that holds something usable; a wrong type is a problem at once.
template <class Document>
scalar first_scalar(const Document& document, const std::vector<std::string>& pointers,
                    std::string& problem) {
    for (const auto& pointer : pointers) {
        auto found = find(document, pointer);
        if (!found) continue;
        scalar s = read_scalar(*found);
        if (!s.problem.empty()) problem.append("the value at ").append(pointer).append(" ").append(s.problem);
        if (!s.problem.empty() || (s.text && !s.text->empty())) return s;
    }
    return {};
}

std::string list_of(const std::vector<std::string>& pointers) {
    std::string text;
    for (const auto& pointer : pointers) text.append(text.empty() ? "" : " or ").append(pointer);
    return text;
}

/// What a key template shows of a value: text and numbers as they are, booleans by name.
template <class Value> std::string field_text(Value& value) {
    if (value.is_bool()) return to_text(value);
    auto s = read_scalar(value);
    return s.text && !s.text->empty() ? std::move(*s.text) : std::string(no_value);
}

template <class Document>
void read_placement(const Document& document, const event_shape& shape, event& out) {
    for (const auto& pointer : shape.timestamp) {
        auto found = find(document, pointer);
        if (!found) continue;
        const auto when = read_scalar(*found);
        if (when.text) out.at_ms = parse_event_time(*when.text);
        if (out.at_ms) break;
    }
    for (const auto& pointer : shape.fields) {
        auto found = find(document, pointer);
        out.fields.push_back(found ? field_text(*found) : std::string(no_value));
    }
}

template <class Document>
std::string extract(const Document& document, const event_shape& shape, bytes_view line, event_reading& out) {
    if (!is_object(document)) return "not a JSON object";
    out = {};
    out.what.raw = line;
    auto id = first_scalar(document, shape.id, out.what.problem);
    if (id.text) {
        out.what.id = std::move(*id.text);
    } else {
        out.what.id = storage::sha256_hex(as_text(line)).substr(0, 32);  // a dead letter needs a name too
        if (out.what.problem.empty() && shape.without_id == missing_id::dead_letter)
            out.what.problem = "no id at " + list_of(shape.id);
    }
    if (out.what.problem.empty()) {
        auto group = first_scalar(document, shape.group, out.what.problem);
        if (group.text)
            out.what.group = std::move(*group.text);
        else if (out.what.problem.empty() && !shape.group.empty())
            out.what.problem = "no group id at " + list_of(shape.group);
    }
    std::string ignored;  // a flow of a wrong type is no flow: routing falls back to the default
    if (auto flow = first_scalar(document, shape.flow, ignored); flow.text)
        out.what.flow = std::move(*flow.text);

    read_placement(document, shape, out.what);
    auto own = find(document, "/firehose");
    if (own && !is_null(*own)) out.routing = own_routing{to_text(*own)};
    return {};
}

}  // namespace

struct event_reader::parser {
    simdjson::dom::parser fast{};
    simdjson::ondemand::parser faster{};
};

event_reader::event_reader(event_shape shape)
    : shape_(std::move(shape)), parser_(std::make_unique<parser>()) {}
event_reader::~event_reader() = default;
event_reader::event_reader(event_reader&&) noexcept = default;
event_reader& event_reader::operator=(event_reader&&) noexcept = default;

std::string event_reader::read(bytes_view line, event_reading& out) {
    if (shape_.check == event_check::full) return read_all(line, out);
    const auto text = as_text(line);
    const auto last = text.find_last_not_of(" \t\r");
    simdjson::ondemand::document document;
    const bool ends = last != text.npos && text[last] == '}';
    if (!ends || parser_->faster.iterate(text.data(), text.size(), text.size() + padding).get(document))
        return read_all(line, out);
    bool broken = false;
    auto why = extract(on_demand{document, broken}, shape_, line, out);
    return broken ? read_all(line, out) : why;
}

std::string event_reader::read_all(bytes_view line, event_reading& out) {
    const auto text = as_text(line);
    simdjson::dom::element document;
    if (parser_->fast.parse(text.data(), text.size(), false).get(document) == simdjson::SUCCESS)
        return extract(document, shape_, line, out);

    json::parse_options options;
    options.max_depth = max_depth;
    json::parser slow({}, options);
    boost::system::error_code ec;
    const auto consumed = slow.write(text.data(), text.size(), ec);
    if (ec) {
        const auto place = " at byte " + std::to_string(consumed + 1) + " of the line";
        return "not JSON: " + ec.message() + place;
    }
    return extract(slow.release(), shape_, line, out);
}

}  // namespace firehose::stages
