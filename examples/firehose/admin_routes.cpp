#include "examples/firehose/admin_routes.hpp"

#include "examples/firehose/access.hpp"
#include "http/digest.hpp"

namespace firehose::app {
namespace {

constexpr std::size_t longest_document = 1 << 20;

std::optional<std::string> header_of(const http::request_head& head, std::string_view name) {
    const auto* value = http::find_header(head.headers, name);
    return value ? std::optional(*value) : std::nullopt;
}

/// Absent, application/json, or a type that ends in +json; parameters do not matter.
bool is_json(const http::request_head& head) {
    auto type = header_of(head, "Content-Type").value_or("application/json");
    type.resize(std::min(type.find(';'), type.size()));
    while (!type.empty() && type.back() == ' ') type.pop_back();
    return http::same_name(type, "application/json") || type.ends_with("+json");
}

task<http::answer> answer_to(const admin_function& answer, http::request_head& head,
                             http::body_reader& body) {
    admin_request asked;
    asked.method = head.method == "HEAD" ? "GET" : head.method;
    asked.id = head.parameter("id");
    asked.if_match = header_of(head, "If-Match");
    asked.if_none_match = header_of(head, "If-None-Match");
    asked.user = head.user;
    if (asked.method == "PUT") {
        if (!is_json(head)) co_return http::refusal(415, "media_type", "the body must be application/json");
        auto text = co_await http::read_all(body, longest_document);
        if (text.has_error()) co_return http::refusal_of(text.error());
        asked.body = std::move(*text);
    }
    auto asking = answer(std::move(asked));
    co_return co_await std::move(asking);
}

/// Whether a list of entity tags, or *, names this one.
bool names(std::string_view list, std::string_view etag) {
    if (list == "*") return !etag.empty();
    return !etag.empty() && list.find(etag) != std::string_view::npos;
}

}  // namespace

void add_admin_routes(http::router& to, const std::string& path, admin_function answer) {
    const auto add = [&](const char* method, const std::string& pattern) {
        http::route r;
        r.method = method;
        r.pattern = pattern;
        r.run = [answer](http::request_head& head, http::body_reader& body) {
            return answer_to(answer, head, body);
        };
        r.access = needs_admin;
        r.max_body = longest_document;
        to.add(std::move(r));
    };
    add("GET", path);
    for (const auto* method : {"GET", "PUT", "DELETE"}) add(method, path + "/{id}");
}

std::optional<http::refusal> check_conditions(const admin_request& asked, const std::string& etag) {
    const bool wrong = (asked.if_match && !names(*asked.if_match, etag)) ||
                       (asked.if_none_match && asked.method != "GET" && names(*asked.if_none_match, etag));
    if (!wrong) return std::nullopt;
    return http::refusal(412, "precondition_failed",
                         etag.empty() ? "there is no such document" : "the document is another one by now");
}

std::string etag_of(std::string_view stored) {
    const auto digest = http::sha256(stored);
    return "\"" + http::to_hex(std::span(digest).first(12)) + "\"";
}

}  // namespace firehose::app
