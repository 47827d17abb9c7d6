/// Keys of gathered objects from a template: `{prefix}/{flow}/{yyyy}/{MM}/{dd}/{HH}/{first}-{last}.{ext}`.
#pragma once
#include "stages/compress.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

/// What of one event decides into which object it goes.
struct partition_values {
    std::string_view flow{};
    std::int64_t at_ms = 0;  ///< since the epoch, UTC
    /// One for each of key_template::pointers(); an event that has none there gives `no_value`.
    std::span<const std::string> fields{};
};
inline constexpr std::string_view no_value = "_none";

/// What names one object of a partition. A pure function of the events inside and of where they come from.
struct object_name {
    std::string_view first{};  ///< id of the first event
    std::string_view last{};
    std::string_view hash{};
    std::uint64_t count = 0;
    std::string_view position{};  ///< where the first event is, in which input
};

/// Placeholders: {prefix} of the destination (left out with its slash when empty); {flow}; {yyyy} {MM} {dd}
/// {HH} {mm} of the event's time, UTC; {/json/pointer} into the event; {first} and {last}, the ids of the
/// first and the last event; {hash}, 16 hex digits over the ids of all events; {position} of the first event
/// in its input; {count}; {ext}, by the packing. Everything else is itself: ASCII letters, digits and -_.=/ .
///
/// Whatever comes from an event is escaped like an event's own key (storage/object_key.hpp), so it is one
/// path component or a part of one, never "..", never a slash. Pure; any thread.
class key_template {
public:
    struct parsed;
    /// Fails with a sentence for the person who configured it. A template must name {hash}, or {position}, or
    /// {first} and {last}: otherwise two objects of a partition would overwrite one another.
    static parsed parse(std::string_view text, packing how);

    /// JSON Pointers in the order of partition_values::fields.
    const std::vector<std::string>& pointers() const noexcept { return pointers_; }
    /// Events whose times fall into the same unit may share a partition; 0: the time plays no part.
    std::int64_t time_unit_ms() const noexcept { return unit_ms_; }
    bool uses_flow() const noexcept { return flow_; }
    /// Two objects whose events begin and end with the same ids have different names.
    bool tells_repeated_ids_apart() const noexcept { return uses(kind::hash) || uses(kind::position); }
    /// Nothing in a key depends on the last event: the name is there before the object is whole.
    bool is_known_at_start() const noexcept {
        return !uses(kind::last) && !uses(kind::hash) && !uses(kind::count);
    }

    /// Names a partition; for people to read, and for finish().
    std::string partition(const partition_values& of) const;
    /// Where events go that would open more partitions than are allowed.
    std::string overflow_partition() const;
    /// The key of an object without its prefix, which with_prefix() puts in.
    std::string finish(std::string_view partition, const object_name& name) const;
    static std::string with_prefix(std::string_view finished, std::string_view prefix);

    static std::string default_text() {
        return "{prefix}/{flow}/{yyyy}/{MM}/{dd}/{HH}/{first}-{last}-{hash}.{ext}";
    }

private:
    enum class kind : std::uint8_t {
        literal,
        prefix,
        flow,
        year,
        month,
        day,
        hour,
        minute,
        field,
        first,
        last,
        hash,
        position,
        count
    };
    struct piece {
        kind what = kind::literal;
        std::string text{};
        std::size_t field = 0;
    };
    bool uses(kind what) const noexcept;
    std::string add_placeholder(std::string_view name, packing how);
    void add_literal(std::string_view text);
    std::string check(packing how) const;

    std::vector<piece> pieces_{};
    std::vector<std::string> pointers_{};
    std::int64_t unit_ms_ = 0;
    bool flow_ = false;
};

struct key_template::parsed {
    key_template what{};
    std::string fault{};  ///< not empty: `what` must not be used
};

/// Milliseconds since the epoch from what events call a time: a number of milliseconds or seconds, or
/// ISO 8601 with date, time and Z or an offset. Nothing for anything else, and for years outside 1 to 9999.
std::optional<std::int64_t> parse_event_time(std::string_view text) noexcept;
std::optional<std::int64_t> event_time_of(std::int64_t number) noexcept;

}  // namespace firehose::stages
