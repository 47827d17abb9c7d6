/// What a handler is given of a request, and what it may answer: the seam between server and APIs.
#pragma once
#include "http/message.hpp"
#include "pipeline/bytes.hpp"
#include "pipeline/error.hpp"
#include "pipeline/task.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace firehose::http {

/// One request, its head checked by head_guard. The query may hold secrets: never log it.
struct request_head {
    std::string method{};
    std::string path{};   ///< as sent, still percent-encoded, without the query
    std::string query{};  ///< as sent, without the question mark
    header_list headers{};
    std::string id{};    ///< a UUID made here; also the answer's X-Request-Id
    std::string peer{};  ///< numeric address of the other end
    bool tls = false;
    std::optional<std::uint64_t> length{};                          ///< what Content-Length said
    std::vector<std::pair<std::string, std::string>> parameters{};  ///< of the route, decoded, in its order
    std::string user{};  ///< set by the access check: the name of who asks, for the log

    /// The value of a route's parameter; empty when the route has none of that name.
    std::string_view parameter(std::string_view name) const noexcept;
};

/// An error answer, before a route's error_writer has given it the form of its API. `code` is for
/// machines ("invalid_param"), `text` a sentence for people; neither repeats a secret.
struct refusal {
    refusal(int s, std::string c, std::string t) : status(s), code(std::move(c)), text(std::move(t)) {}
    int status;
    std::string code;
    std::string text;
    header_list headers{};  ///< Allow, Retry-After, WWW-Authenticate
};

using answer = std::variant<response, refusal>;

/// The body, piece by piece, unchunked and, if it was gzip, inflated. Reading it is what asks a client
/// that waits for 100-continue to send it.
class body_reader {
public:
    virtual ~body_reader() = default;
    /// Valid until the next call; empty at the end. An error's status() is what to answer (400 broken,
    /// 408 too slow, 413 too large), or 0 when the peer is gone and nobody reads an answer.
    /// May be cancelled.
    virtual task<result<bytes_view>> next() = 0;
};

/// Runs on the shard of its connection. What it leaves unread of the body is drained or the
/// connection closed; what it throws is logged and answered 500.
using handler = std::function<task<answer>(request_head& head, body_reader& body)>;

/// Gives an error the form of an API. Pure.
using error_writer = std::function<response(const request_head& head, const refusal& why)>;

/// {"error":"text"} as application/json: the form where no other is set.
response plain_error(const request_head& head, const refusal& why);

/// What to answer for an error of body_reader::next().
refusal refusal_of(const error& why);

/// The whole body; 413 when it is longer than `most`.
task<result<std::string>> read_all(body_reader& from, std::size_t most);

/// An answer with a JSON body.
response json_response(int status, std::string body);

/// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// The values of a query by name, decoded: %XX, and '+' as a blank. Nothing on a malformed escape.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

/// The reason phrase of a status; "Unknown" for those nobody here sends.
std::string_view reason_of(int status) noexcept;

}  // namespace firehose::http
