/// POST /events and POST /flows/{flow_id}/events: events come in by HTTP and are durable before the 2xx.
#pragma once
#include "http/exchange.hpp"
#include "stages/event_log.hpp"
#include "stages/event_reader.hpp"
#include "stages/ingest_options.hpp"
#include "stages/log_block.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

/// One shard's handler; outlives the requests it answers.
///
/// The body is one event (application/json or any +json), an array of events (the same), or one event a line
/// (application/x-ndjson, application/ndjson, application/jsonl); blank lines are passed over. Events are
/// kept byte for byte. All or nothing: if one event is refused, so is the request (422), unless the query
/// says partial=true. The answers name each refused event: {"line": n, "reason": "..."}, counted from 1; in
/// an array the n-th element. Nothing of them is quoted.
///
/// 202 {"accepted": n, "refused": [...], "first_position": p, "last_position": q} once `append` has made them
/// durable. A request with an Idempotency-Key is accepted once: repeated with the same events it gets the
/// same positions, and the header Idempotent-Replayed: true. 503 comes with Retry-After; nothing was accepted
/// then.
class ingest_http {
public:
    using append_function = std::function<task<result<log_receipt>>(log_append)>;

    ingest_http(event_shape shape, ingest_http_options how, append_function append);

    /// The route's parameter flow_id, if it has one, is the flow of events that name none.
    task<http::answer> post(http::request_head& head, http::body_reader& body);

    std::uint64_t accepted() const noexcept { return accepted_; }
    std::uint64_t refused() const noexcept { return refused_; }

private:
    struct refused_event {
        std::uint64_t line = 0;
        std::string reason{};
    };
    struct sorted {
        log_append events{};
        std::vector<refused_event> refused{};
        std::string broken{};  ///< not empty: the body as a whole is none of the three forms
    };
    class share;

    sorted sort_lines(std::string_view body);
    sorted sort_json(std::string_view body);
    void sort_one(std::string_view event, std::uint64_t line, sorted& into);
    http::answer describe(const sorted& what, const log_receipt* receipt) const;

    event_reader reader_;
    ingest_http_options how_;
    append_function append_;
    std::string scratch_{};  // one event with the reader's padding behind it
    std::size_t in_memory_ = 0;
    std::uint64_t accepted_ = 0, refused_ = 0;
};

}  // namespace firehose::stages
