/// Reads a request's head strictly, before anything else does: whatever could be framed in two ways is
/// refused.
#pragma once
#include "http/exchange.hpp"
#include "http/server_options.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace firehose::http {

struct guarded_head {
    std::string method{};
    std::string target{};  ///< in origin form: path and query; "*" for OPTIONS
    int minor = 1;         ///< HTTP/1.x
    header_list headers{};
    bool chunked = false;
    std::optional<std::uint64_t> length{};  ///< Content-Length
    bool expects_continue = false;
    bool keep_alive = false;  ///< what the client wants; HTTP/1.0 never
};

/// What is wrong already with a head of which only a part has come: bytes that no head has (so that
/// TLS on a plain port, or lines without CR, need not wait for a time-out), and the limits. `checked`
/// is how many bytes earlier calls have seen, and is moved on.
std::optional<refusal> check_partial_head(std::string_view bytes, std::size_t& checked,
                                          const head_limits& most);

/// `bytes` is a whole head with its final CRLF CRLF. Any refusal means that the connection must be
/// closed after the answer, because nobody knows where the next request begins.
///
/// Accepted (RFC 9112, in its strictest reading): lines end in CRLF and are never folded; visible ASCII
/// targets in origin form, or absolute with the same authority as Host; HTTP/1.0 and 1.1; methods we
/// know; exactly one well-formed Host (none is needed on 1.0); Transfer-Encoding exactly `chunked`, once,
/// on 1.1 and without Content-Length; one Content-Length of digits; Expect: 100-continue or none.
std::variant<guarded_head, refusal> guard_head(std::string_view bytes, const head_limits& most);

}  // namespace firehose::http
