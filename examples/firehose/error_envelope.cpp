#include "examples/firehose/error_envelope.hpp"

#include <array>

namespace firehose::app {
namespace {

struct meaning {
    int status;
    std::string_view code;
    std::string_view text;
};

constexpr std::string_view bad_token = "Required access token is missing, malformed, expired, or invalid.";
constexpr std::array meanings{
    meaning{400, "invalid_param", "A parameter is missing or not what it must be; `details` names it."},
    meaning{400, "invalid_header", "A header is missing or not what it must be; `details` names it."},
    meaning{400, "bad_request", "The request is not framed as HTTP says. The connection is closed."},
    meaning{401, "unauthorized", bad_token},
    meaning{403, "insufficient_scope", "The token is valid and lacks the role the request needs."},
    meaning{404, "incorrect_path", "There is nothing at this path, or no such resource."},
    meaning{405, "method_not_allowed", "The path takes other methods: see the header Allow."},
    meaning{406, "not_acceptable", "The header Accept leaves out application/json."},
    meaning{408, "timeout", "The request came too slowly."},
    meaning{410, "position_expired",
            "The events at this position are no longer kept. Start at `tail` or `top`."},
    meaning{413, "too_large", "The body is larger than what is taken here."},
    meaning{414, "target_too_long", "The request line is longer than what is taken here."},
    meaning{415, "unsupported_encoding", "The only Content-Encoding that is read is gzip."},
    meaning{417, "expectation_failed", "The only expectation that is met is 100-continue."},
    meaning{429, "rate_limit_exceeded",
            "Too many requests with this token: wait as long as Retry-After says."},
    meaning{431, "headers_too_large", "The headers are larger or more than what is taken here."},
    meaning{500, "server_error", "The server failed. Ask its operator, with the X-Request-Id."},
    meaning{501, "not_implemented", "The method or the Transfer-Encoding is not known here."},
    meaning{503, "temporarily_unavailable", "Not now: try again after as many seconds as Retry-After says."},
    meaning{505, "version_not_supported", "HTTP/1.1 and HTTP/1.0 are spoken here."},
};

}  // namespace

std::string base_url(const http::request_head& head, const std::string& public_url) {
    if (!public_url.empty()) return public_url;
    const auto* host = http::find_header(head.headers, "Host");
    if (host == nullptr || host->empty()) return {};
    return (head.tls ? "https://" : "http://") + *host;
}

http::error_writer error_envelope(std::string public_url) {
    return [public_url = std::move(public_url)](const http::request_head& head, const http::refusal& why) {
        const std::string_view details = why.code == "unauthorized" ? bad_token : std::string_view(why.text);
        const std::string reason(http::reason_of(why.status));
        const auto more = base_url(head, public_url).append(error_catalogue_path);
        const auto links = ",\"links\":{\"more_info\":" + http::json_string(more) + "}}";
        auto text = R"({"errors":[{"error":{"code":)" + http::json_string(why.code);
        text.append(",\"message\":").append(http::json_string(reason));
        text.append(",\"details\":").append(http::json_string(details));
        text.append("},\"meta\":{\"type\":\"error\"").append(links);
        text.append("}],\"meta\":{\"type\":\"errors\",\"http_status\":");
        text.append(http::json_string(std::to_string(why.status) + " " + reason));
        text.append(",\"logref\":").append(http::json_string(head.id)).append(links).append("}");
        auto out = http::json_response(why.status, std::move(text));
        out.headers.emplace_back("Content-Language", "en");
        return out;
    };
}

std::string error_catalogue() {
    std::string out = "Errors of the event stream API: status, code, meaning.\n\n";
    for (const auto& m : meanings)
        out.append(std::to_string(m.status))
            .append(" ")
            .append(m.code)
            .append(": ")
            .append(m.text)
            .append("\n");
    return out;
}

}  // namespace firehose::app
