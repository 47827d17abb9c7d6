/// The events of one request as one record of the event log: its bytes, without any I/O.
#pragma once
#include "http/digest.hpp"
#include "pipeline/bytes.hpp"
#include "pipeline/time_source.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

/// Number of an event in the log; grows, is never given twice.
using log_position = std::uint64_t;

/// Number of a change of the configuration; an event is stamped with the last one before its acceptance, and
/// goes where that configuration sends it (stages/flow_book.hpp). 0: accepted before changes were numbered.
using routing_stamp = std::uint64_t;

/// What is appended together.
struct log_append {
    std::string bytes{};                      ///< the events, one after the other, nothing between
    std::vector<std::uint32_t> lengths{};     ///< of each
    std::string flow{};                       ///< for events that name none; at most 65,535 bytes
    std::optional<http::sha256_value> key{};  ///< hash of the Idempotency-Key and of what it belongs to
    http::sha256_value digest{};              ///< of the events; only looked at beside a key
};

/// What is read. The views live in `backing`, in which `event_reader::padding` bytes follow each event.
struct log_block {
    log_position first = 0;
    time_source::wall accepted{};
    std::string_view flow{};
    std::vector<bytes_view> events{};
    std::optional<http::sha256_value> key{};
    http::sha256_value digest{};
    routing_stamp stamp = 0;
    slab backing{};
};

/// A record's payload, little-endian:
///     u16 version (2)   u16 length of the flow   u32 events   i64 accepted, nanoseconds since 1970
///     u64 stamp   u32 1 if a key follows, else 0   [32 bytes key, 32 bytes digest]   flow
///     u32 length of each event   the events   64 zero bytes, so that a parser may read past the last one
/// Version 1 had no stamp, and is still read.
std::string encode_log_block(const log_append& what, time_source::wall accepted, routing_stamp stamp = 0);

/// Nothing when the payload is no such block. Leaves `first` and `backing` to the caller.
std::optional<log_block> decode_log_block(bytes_view payload);

}  // namespace firehose::stages
