/// How much is accepted, and for how long it is kept.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace firehose::stages {

struct event_log_options {
    std::chrono::hours retention{72};
    std::uint64_t segment_bytes = 64u << 20;
    std::uint64_t max_bytes = 0;  ///< on disk; at this nothing more is accepted. 0: as much as the disk holds
    std::chrono::seconds key_window{24 * 3600};  ///< how long an Idempotency-Key is remembered
    std::size_t most_keys = 200'000;             ///< and how many; the oldest are forgotten first
};

struct ingest_http_options {
    std::size_t max_event = 16u << 20;              ///< longer ones are refused
    std::size_t max_body = 64u << 20;               ///< inflated
    std::size_t max_bodies_in_memory = 256u << 20;  ///< of all requests at once; beyond: 503
};

}  // namespace firehose::stages
