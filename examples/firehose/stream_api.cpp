#include "examples/firehose/stream_api.hpp"

#include "examples/firehose/come_again.hpp"
#include "examples/firehose/error_envelope.hpp"
#include "http/accept.hpp"
#include "stages/stream_position.hpp"

#include <charconv>

namespace firehose::app {
namespace {

constexpr std::chrono::seconds one_second{1};

http::refusal invalid(std::string text) { return {400, "invalid_param", std::move(text)}; }

std::optional<std::size_t> parse_limit(std::string_view text) {
    std::size_t limit = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, limit);
    if (problem != std::errc() || stop != end || limit < 1 || limit > 100) return std::nullopt;
    return limit;
}

}  // namespace

struct stream_api::question {
    stages::stream_name stream{};
    stages::stream_query what{};
    bool says_limit = false;
};

stream_api::stream_api(context& x, stream_settings how, std::string public_url, stages::event_shape shape,
                       backend to)
    : how_(std::move(how)),
      public_url_(std::move(public_url)),
      backend_(std::move(to)),
      reader_(x, std::move(shape), how_.limits, backend_.read) {}

/// What does not depend on the resource.
std::optional<http::refusal> stream_api::refuse(const http::request_head& head) const {
    if (const auto wait = backend_.admit(head.user))
        return come_again(429, "rate_limit_exceeded", "too many requests with this token", *wait);
    const auto* agent = http::find_header(head.headers, "User-Agent");
    if (agent == nullptr || agent->empty())
        return http::refusal(400, "invalid_header", "the header User-Agent is required");
    if (!http::accepts(head.headers, "application/json"))
        return http::refusal(406, "not_acceptable", "this is to be had as application/json only");
    if (!backend_.ready()) return starting_or_stopping();
    return std::nullopt;
}

std::variant<stream_api::question, http::refusal> stream_api::read_query(const http::request_head& head,
                                                                         std::string_view resource) const {
    const auto pairs = http::parse_query(head.query);
    if (!pairs) return invalid("the query holds a malformed escape");
    question out;
    out.stream = {how_.account, resource};
    const std::string *position = nullptr, *limit = nullptr;
    for (const auto& [name, value] : *pairs) {
        if (name != "position" && name != "limit") continue;
        auto& place = name == "limit" ? limit : position;
        if (place != nullptr) return invalid("`" + name + "` stands in the query twice");
        place = &value;
    }
    if (limit != nullptr) {
        const auto number = parse_limit(*limit);
        if (!number) return invalid("`limit` must be an integer from 1 to 100");
        out.what.limit = *number;
        out.says_limit = true;
    }
    if (position == nullptr || position->empty())
        return invalid("`position` is required: \"tail\", \"top\", or what an earlier answer gave");
    if (*position == "tail") {
        out.what.from = stages::stream_query::start::tail;
    } else if (*position == "top") {
        out.what.from = stages::stream_query::start::top;
    } else {
        std::string problem;
        const auto at = stages::decode_stream_position(*position, out.stream, problem);
        if (!at) return invalid("`position`: " + problem);
        out.what.position = *at;
    }
    return out;
}

http::response stream_api::answer(const http::request_head& head, const question& asked,
                                  const stages::stream_page& page) {
    const bool again = how_.repeat_every != 0 && page.count > 0 && ++pages_ % how_.repeat_every == 0;
    const auto next = stages::encode_stream_position(again ? page.first : page.next, asked.stream);
    auto link = base_url(head, public_url_) + head.path + "?position=" + next;
    if (asked.says_limit) link += "&limit=" + std::to_string(asked.what.limit);
    std::string text;
    text.reserve(page.items.size() + link.size() + 128);
    text.append("{\"items\":[").append(page.items);
    text.append("],\"meta\":{\"links\":{\"next\":").append(http::json_string(link));
    text.append("},\"position\":\"").append(next);
    text.append("\",\"top\":").append(page.top && !again ? "true}}" : "false}}");
    auto out = http::json_response(200, std::move(text));
    out.headers.emplace_back("Content-Language", "en");
    out.headers.emplace_back("Vary", "Accept, Accept-Language");
    out.headers.emplace_back("Cache-Control", "no-store");
    return out;
}

task<http::answer> stream_api::get(http::request_head& head, http::body_reader&) {
    if (auto why = refuse(head)) co_return std::move(*why);
    const auto resource = head.parameter("resource");
    const auto* type = how_.resources.type_of(resource);
    if (type == nullptr) co_return http::refusal(404, "incorrect_path", "there is no such resource");
    auto read = read_query(head, resource);
    if (auto* why = std::get_if<http::refusal>(&read)) co_return std::move(*why);
    auto& asked = std::get<question>(read);
    asked.what.type = *type;
    auto what = asked.what;
    auto page = co_await reader_.read(std::move(what));
    if (page.has_value()) co_return answer(head, asked, *page);
    const auto& why = page.error();
    if (why.status() == 503) co_return come_again(503, "temporarily_unavailable", why.context(), one_second);
    if (why.status() != 0) co_return http::refusal(why.status(), why.provider_code(), why.context());
    co_return come_again(503, "temporarily_unavailable", "the event log cannot be read", one_second);
}

}  // namespace firehose::app
