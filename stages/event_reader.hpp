/// Checks one line of JSON and takes from it what routing needs: identity and the `firehose` object.
#pragma once
#include "pipeline/bytes.hpp"
#include "stages/event.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firehose::stages {

/// What to do with an event that carries no id.
enum class missing_id : std::uint8_t {
    hash,         ///< its id is the first 32 hex digits of the SHA-256 of its bytes
    dead_letter,  ///< it is parked
};

/// How much of a line is looked at before it is accepted.
enum class event_check : std::uint8_t {
    full,  ///< all of it is JSON
    /// It is UTF-8, an object, and JSON as far as it was read for identity and routing; what else is wrong
    /// in it is stored as it came. For sources that are known to write JSON.
    fields,
};

/// Where in an event its identity sits: JSON Pointers (RFC 6901), the first that is there wins. The
/// defaults are LeadConduit's and the event stream's.
struct event_shape {
    std::vector<std::string> id{"/id", "/meta/event_id"};
    std::vector<std::string> group{"/vars/lead/id", "/data/id"};  ///< empty: keys have no group part
    std::vector<std::string> flow{"/vars/flow/id"};
    missing_id without_id = missing_id::hash;
    std::vector<std::string> timestamp{};  ///< empty: events have no time
    std::vector<std::string> fields{};     ///< one JSON Pointer for each of event::fields
    event_check check = event_check::full;
};

/// The event's own `firehose` member, as JSON text without insignificant white space.
struct own_routing {
    std::string text{};
};

/// What one line says. The views' owner is the caller's slab.
struct event_reading {
    event what{};  ///< everything but the targets; `problem` set where no key can be made
    std::optional<own_routing> routing{};  ///< none: the member is absent or null
};

/// Full syntax check (RFC 8259, UTF-8 included) unless the shape asks for less, no document tree of its own
/// per event: the parser's memory is reused. Single shard.
class event_reader {
public:
    explicit event_reader(event_shape shape);
    ~event_reader();
    event_reader(event_reader&&) noexcept;
    event_reader& operator=(event_reader&&) noexcept;

    /// How many readable bytes must follow a line in its slab.
    static constexpr std::size_t padding = 64;

    /// Why `line` is refused, in words with the place inside the line; empty when it was read into
    /// `out`. The memory of `line` must be readable for `padding` bytes past its end.
    std::string read(bytes_view line, event_reading& out);

private:
    struct parser;
    std::string read_all(bytes_view line, event_reading& out);
    event_shape shape_;
    std::unique_ptr<parser> parser_;
};

}  // namespace firehose::stages
