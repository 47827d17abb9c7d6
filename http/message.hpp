/// Requests and answers as plain values; the body of a request is a scatter list of the caller's bytes.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::http {

/// In the order in which they are sent or came. Names compare without case.
using header_list = std::vector<std::pair<std::string, std::string>>;

/// The first value of that name; null when there is none.
const std::string* find_header(const header_list& headers, std::string_view name) noexcept;

/// Replaces the first header of that name or appends one.
void set_header(header_list& headers, std::string_view name, std::string value);

/// Equal as header names are: ASCII letters compare without case.
bool same_name(std::string_view a, std::string_view b) noexcept;

/// The caller keeps the body's bytes alive and unchanged until the call that sends it has ended.
struct request {
    std::string method{};
    std::string target{};   ///< path and query exactly as sent, already encoded
    header_list headers{};  ///< without Content-Length and Connection, which belong to the connection
    std::vector<std::span<const std::byte>> body{};
    bool idempotent = true;  ///< only such requests are ever sent a second time
};

struct response {
    int status = 0;
    header_list headers{};
    std::string body{};           ///< of an error answer only the first part, see client_options
    bool body_truncated = false;  ///< the rest of an error answer's body was not read
};

std::size_t body_size(const request& req) noexcept;

/// The target without its query, for errors and logs: queries may hold signatures.
std::string_view path_of(const request& req) noexcept;

}  // namespace firehose::http
