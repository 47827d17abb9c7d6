#include "storage/unsigned_call.hpp"

#include "http/retry.hpp"
#include "pipeline/bytes.hpp"
#include "storage/provider_answer.hpp"

#include <algorithm>

namespace firehose::storage {

namespace {

error by_status(const http::response& r) { return call_refused(r, judge_status(r.status), {}, {}); }

/// Turns refusals into errors, so that those worth it are tried again.
class judged final : public http::transport {
public:
    judged(const provider_parts& parts, const unsigned_call& what)
        : time_(parts.shard.time), what_(what), through_(parts.connect(what.to, nullptr)) {}

    task<result<http::response>> send(http::request& req, time_source::steady deadline) override {
        const auto limit = std::min(deadline, time_.now() + what_.each);
        auto answer = co_await through_->send(req, limit);
        if (!answer.has_value() || answer->status == 200) co_return answer;
        co_return what_.refusal ? what_.refusal(*answer) : by_status(*answer);
    }

private:
    time_source& time_;
    const unsigned_call& what_;
    std::shared_ptr<http::transport> through_;
};

error named(const unsigned_call& what, const error& why) {
    error_details d = why.details();
    const std::string path = what.target.substr(0, what.target.find('?'));
    d.context = what.method + " " + http::describe(what.to) + path + ": " + d.context;
    return {why.what(), std::move(d)};
}

}  // namespace

error call_refused(const http::response& r, disposition what, std::string_view code,
                   std::string_view message) {
    constexpr std::size_t most = 300;
    error_details d;
    d.status = r.status;
    d.provider_code = code;
    d.context = std::to_string(r.status);
    if (!code.empty()) d.context.append(" ").append(code.substr(0, most));
    if (!message.empty()) d.context.append(": ").append(message.substr(0, most));
    return {what, std::move(d)};
}

task<result<secret>> ask(const provider_parts& parts, unsigned_call what, time_source::steady deadline) {
    http::request req;
    req.method = what.method;
    req.target = what.target;
    req.headers = what.headers;
    req.headers.emplace(req.headers.begin(), "Host", http::host_header(what.to));
    if (!what.body.empty()) req.body.emplace_back(as_bytes(what.body.reveal()));
    judged once(parts, what);
    http::backoff how;
    how.base = std::chrono::milliseconds(100);
    how.cap = std::chrono::milliseconds(1'000);
    how.attempts = what.attempts;
    http::retrying again(once, parts.shard.time, parts.shard.random, how);
    auto answer = co_await again.send(req, deadline);
    for (auto& [name, value] : req.headers) wipe(value);
    if (!answer.has_value()) co_return named(what, answer.error());
    co_return secret(std::move(answer->body));
}

}  // namespace firehose::storage
