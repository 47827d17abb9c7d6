/// What the answers of all cloud stores have in common: XML error bodies, proofs of storage, other clocks.
#pragma once
#include "http/message.hpp"
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::storage {

/// The parts of an error body that matter. All may be empty: radosgw leaves <Message> out, Azure <RequestId>.
struct error_body {
    std::string code{};
    std::string message{};
    std::string request_id{};
    std::string region{};
};

/// Never fails: what is not an <Error> document gives empty parts. Entities are not expanded
/// beyond the five of XML and character references; a byte order mark is allowed.
error_body read_error_body(std::string_view body);

/// What a status says where no provider code is more exact; pure.
disposition judge_status(int status) noexcept;

/// A 2xx that no store would send: 203, a proxy's page, an <Error> document. `provider` is its name for
/// people. Empty when there is nothing wrong.
std::string false_success(const http::response& r, std::string_view provider);

/// "403 AccessDenied, request id …: …; advice": status, code and Retry-After are in the error's details
/// too. What came from the server is cut to a bounded length.
error refused_answer(disposition what, const http::response& r, const error_body& said,
                     std::string_view request_id_header, std::string_view advice, time_source::wall now);

/// How far the server's clock, as the Date header says it, is ahead of `now`; nothing without a date.
std::optional<time_source::wall::duration> clock_ahead(const http::response& r, time_source::wall now);

/// The same, if it is so far from the `known` one that a server may have complained about it: they accept at
/// least a quarter of an hour.
std::optional<time_source::wall::duration> new_clock_ahead(const http::response& r, time_source::wall now,
                                                           time_source::wall::duration known);

/// The first value of a header, or "".
std::string header_or_empty(const http::response& r, std::string_view name);

/// The ETag without its quotes, or "".
std::string unquoted(std::string etag);
std::string etag_of(const http::response& r);

/// A decimal number and nothing else.
std::optional<std::uint64_t> whole_number(std::string_view digits);

}  // namespace firehose::storage
