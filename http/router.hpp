/// From method and path to a handler, with typed parameters and each API's own form of errors.
#pragma once
#include "http/exchange.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::http {

/// `pattern` is a path whose segments are literals or parameters: {name} takes any non-empty segment of up to
/// 256 bytes, {name:id} 24 hexadecimal digits, {name:number} up to 18 digits, {name:word} lower-case
/// letters, digits and underscores. What does not fit the type does not match.
struct route {
    std::string method{};   ///< GET serves HEAD too
    std::string pattern{};  ///< "/flows/{flow_id}/events"
    handler run{};
    std::string access{};      ///< what the server's access check is asked for; its meaning is the user's
    std::size_t max_body = 0;  ///< bytes, on the wire and inflated; 0: the server's limit
};

struct route_match {
    const route* found = nullptr;
    std::optional<refusal> why{};  ///< 404, 405 with Allow, or 400 for a malformed escape
    std::vector<std::pair<std::string, std::string>> parameters{};
    const error_writer* errors = nullptr;  ///< never null
};

/// Filled before it is used, then only read, by one shard.
class router {
public:
    router();
    /// Literal segments win over parameters, whatever the order of adding. Throws std::invalid_argument for a
    /// malformed pattern or one that is there already.
    void add(route r);
    /// Errors below this path take this form, 404 and 405 included; the longest prefix wins. The prefix ends
    /// at a segment: "/v3" is for "/v3" and "/v3/x" and not for "/v30".
    void set_errors(std::string prefix, error_writer form);

    /// `path` is still encoded. Never keeps a reference to it.
    route_match find(std::string_view method, std::string_view path) const;
    const error_writer& errors_for(std::string_view path) const;
    /// Method and pattern of each, the more literal ones first.
    std::vector<const route*> all() const;

private:
    enum class kind { literal, text, id, number, word };
    struct segment {
        kind what = kind::literal;
        std::string name{};  ///< the literal, or the parameter's
    };
    struct entry {
        route what{};
        std::vector<segment> segments{};
    };
    static std::vector<segment> parse(const std::string& pattern);
    static bool fits(const segment& s, std::string_view decoded);
    bool matches(const entry& e, const std::vector<std::string>& path) const;

    std::vector<entry> entries_;                               // the more literal ones first
    std::vector<std::pair<std::string, error_writer>> forms_;  // the longest prefix first
};

}  // namespace firehose::http
