#include "stages/pull_client.hpp"

#include "http/date.hpp"
#include "storage/unsigned_call.hpp"

#include <boost/json/parse.hpp>

namespace firehose::stages {
namespace json = boost::json;
namespace {

struct complaint {
    std::string code{}, message{};
};

std::string text_at(const json::value& document, std::string_view pointer) {
    boost::system::error_code ec;
    const auto* found = document.find_pointer(pointer, ec);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

/// {"errors": [{"error": {"code", "message", "details"}}]}, or {"error": "text"}; anything else says nothing.
complaint read_complaint(std::string_view body) {
    boost::system::error_code ec;
    const json::value document = json::parse(body, ec);
    if (ec) return {};
    complaint out{text_at(document, "/errors/0/error/code"), text_at(document, "/errors/0/error/details")};
    if (out.message.empty()) out.message = text_at(document, "/errors/0/error/message");
    if (out.message.empty()) out.message = text_at(document, "/error");
    return out;
}

disposition judge(int status) noexcept {
    if (status == 429) return disposition::slow_down;
    if (status >= 500 || status < 300 || status == 408 || status == 425) return disposition::retry;
    return disposition::stop;
}

}  // namespace

std::string describe(const stream_place& at) { return http::describe(at.to) + at.path; }

pull_client::pull_client(context& x, std::shared_ptr<http::transport> through,
                         std::shared_ptr<storage::credential_source> with, stream_place at,
                         std::chrono::milliseconds timeout)
    : x_(x), through_(std::move(through)), with_(std::move(with)), at_(std::move(at)), timeout_(timeout) {}

error pull_client::named(const error& why) const {
    error_details d = why.details();
    d.context = "GET " + describe(at_) + ": " + d.context;
    return {why.what(), std::move(d)};
}

error pull_client::refused(const http::response& r) const {
    const auto said = read_complaint(r.body);
    const auto why = storage::call_refused(r, judge(r.status), said.code, said.message);
    error_details d = why.details();
    if (const auto* after = http::find_header(r.headers, "Retry-After"))
        d.retry_after = http::parse_retry_after(*after, x_.time.wall_now());
    if (r.status / 100 == 2) d.context += " is not the 200 that comes with a page";
    if (r.status / 100 == 3) d.context += ": redirects are not followed";
    return named(error(why.what(), std::move(d)));
}

task<result<http::response>> pull_client::send(const std::string& position, unsigned limit,
                                               const storage::secret& token, time_source::steady deadline) {
    http::request req;
    req.method = "GET";
    req.target = at_.path + "?position=" + http::encode_query(position) + "&limit=" + std::to_string(limit);
    req.headers.emplace_back("Host", http::host_header(at_.to));
    req.headers.emplace_back("Accept", "application/json");
    req.headers.emplace_back("Authorization", "Bearer " + token.reveal());
    auto answer = co_await through_->send(req, deadline);
    for (auto& [name, value] : req.headers) storage::wipe(value);
    co_return answer;
}

task<result<pulled_page>> pull_client::get(std::string position, unsigned limit) {
    const auto deadline = x_.time.now() + timeout_;
    for (bool renewed = false;; renewed = true) {
        if (with_->due()) {
            auto ready = co_await with_->ready(deadline);
            if (ready.has_error()) co_return named(ready.error());
        }
        const auto with = with_->current();
        auto answer = co_await send(position, limit, with->bearer, deadline);
        if (answer.has_error()) co_return named(answer.error());
        if (answer->status == 401 && !renewed) {
            const auto another = co_await with_->renew(with, deadline);
            if (another) continue;
        }
        if (answer->status != 200) co_return refused(*answer);
        auto page = reader_.read(std::move(answer->body));
        if (page.has_error()) co_return named(page.error());
        co_return page;
    }
}

}  // namespace firehose::stages
