/// One immutable JSON document with identity and targets, as it moves through the pipeline.
#pragma once
#include "pipeline/bytes.hpp"
#include "pipeline/compose.hpp"
#include "pipeline/time_source.hpp"
#include "storage/body_file.hpp"
#include "storage/destination.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

using firehose::operator|;  // argument-dependent lookup finds it here for the parts of this folder

inline std::int64_t milliseconds_since_epoch(time_source::wall when) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

/// One line of input, checked by nobody yet. `bytes` points into a slab of the batch.
struct raw_event {
    bytes_view bytes;
    std::uint64_t line = 0;       ///< counted from 1; 0 when the source has no lines
    std::uint64_t offset = 0;     ///< of the first byte in the input; where events are numbered, its number
    bytes_view flow{};            ///< id of its flow, should the event name none; into a slab as well
    std::uint64_t stamp = 0;      ///< of the configuration it was accepted under, see log_block.hpp
    std::int64_t arrived_ms = 0;  ///< since the epoch; 0 when only its input knows
    bool settled = false;         ///< see event
};

/// Where one event is asked to go. A target with a `problem` is never delivered: it is parked with
/// that reason.
struct target {
    storage::destination to{};
    std::string problem{};
};

struct spooled_record;  // stages/spool_backend.hpp
class growing_object;   // stages/growing_object.hpp

/// Shared by all events with the same configuration; most flows have one for years.
using target_list = std::shared_ptr<const std::vector<target>>;

/// What stands for many events: one object of the layout "batch" (stages/gather.hpp).
struct gathered_object {
    std::string key{};  ///< key_template::with_prefix() makes it a destination's
    std::string content_encoding{};
    std::uint64_t events = 0;
};
inline constexpr std::string_view batch_layout = "batch";
inline constexpr std::string_view batch_content_type = "application/x-ndjson";

/// Identity and routing of one event. `raw` is byte for byte what was accepted and points into a
/// slab of the batch that holds the event.
struct event {
    bytes_view raw{};
    std::string id{};
    std::string group{};  ///< lead id or resource id; the ordering key
    std::string flow{};
    target_list targets{};
    std::string problem{};  ///< not empty: no key can be made (no id, no group); parked for every target
    std::shared_ptr<const spooled_record> record{};  ///< set when the event comes out of a spool
    std::uint64_t position = 0;                      ///< of its first byte in the input, or its number
    std::optional<std::int64_t> at_ms{};  ///< when it happened, since the epoch; where it is asked for
    std::int64_t arrived_ms = 0;          ///< since the epoch; 0 when only its input knows
    std::vector<std::string> fields{};    ///< what a key template asks for, in its order
    /// It has its verdict and is read once more for the sake of an object that was made of it and of others
    /// that have none yet. Nothing else may come of it.
    bool settled = false;
    std::shared_ptr<const gathered_object> object{};   ///< set when the body is an object made of many events
    std::shared_ptr<const storage::body_file> file{};  ///< set when the body lies there, and not in `raw`
    std::shared_ptr<growing_object> growing{};  ///< set when stores may have first parts of `file` already
};

}  // namespace firehose::stages
