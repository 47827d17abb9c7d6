#include "storage/sqs_exchange.hpp"

#include "http/digest.hpp"
#include "pipeline/bytes.hpp"
#include "storage/sqs_message.hpp"

#include <chrono>
#include <utility>

namespace firehose::storage {

namespace {

constexpr std::string_view target_prefix = "AmazonSQS.";

std::string_view action_of(const http::request& req) {
    const auto* target = http::find_header(req.headers, "X-Amz-Target");
    return target == nullptr ? std::string_view() : std::string_view(*target).substr(target_prefix.size());
}

error_body read_refusal(const http::response& r) {
    auto said = sqs::read_error(r.body);
    if (said.code.empty()) said.code = sqs_code(header_or_empty(r, "x-amzn-query-error"));
    return said;
}

}  // namespace

void sqs_signer::use_identity(sigv4::identity who) {
    who_ = std::move(who);
    keys_ = {};
}

result<> sqs_signer::sign(http::request& req, time_source::wall now) {
    const std::string stamp = sigv4::format_stamp(now + ahead_);
    http::set_header(req.headers, "x-amz-date", stamp);
    if (!who_.session_token.empty())
        http::set_header(req.headers, "x-amz-security-token", who_.session_token.reveal());
    else
        std::erase_if(req.headers, [](const auto& h) { return h.first == "x-amz-security-token"; });
    const std::string hash = http::to_hex(http::sha256(req.body));
    const sigv4::subject what{req.method, req.target, {}, req.headers, hash};
    auto done = sigv4::sign_headers(what, who_, region_, "sqs", stamp, sigv4::path_rules::generic, keys_);
    http::set_header(req.headers, "Authorization", std::move(done.authorization));
    return {};
}

http::request sqs_request(std::string_view action, std::string_view body) {
    http::request req;
    req.method = "POST";
    req.target = "/";
    req.headers.reserve(8);
    req.headers.emplace_back("Content-Type", "application/x-amz-json-1.0");
    req.headers.emplace_back("X-Amz-Target", std::string(target_prefix).append(action));
    req.body.push_back(as_bytes(body));
    return req;
}

sqs_exchange::sqs_exchange(context& shard, const http::transport_factory& connect, const credential& with,
                           sqs_location at, std::shared_ptr<credential_source> keys)
    : shard_(shard),
      at_(std::move(at)),
      keys_(std::move(keys)),
      signer_({with.username, with.password, with.session_token}, at_.region),
      bottom_(connect(at_.to, &signer_)) {}

task<result<>> sqs_exchange::use_keys(time_source::steady deadline) {
    if (!keys_) co_return result<>();
    if (keys_->due()) {
        auto ready = co_await keys_->ready(deadline);
        if (ready.has_error()) co_return ready;
    }
    auto now = keys_->current();
    if (now == used_) co_return result<>();
    used_ = std::move(now);
    signer_.use_identity({used_->access_key_id, used_->secret_access_key, used_->session_token});
    co_return result<>();
}

task<result<http::response>> sqs_exchange::send(http::request& req, time_source::steady deadline) {
    bool learned = false, renewed = false;
    http::set_header(req.headers, "Host", http::host_header(at_.to));
    for (;;) {
        auto ready = co_await use_keys(deadline);
        if (ready.has_error()) co_return ready.error();
        const auto used = used_;
        auto answer = co_await bottom_->send(req, deadline);
        const std::string action(action_of(req));
        if (!answer.has_value()) {
            error_details d = answer.error().details();
            d.context = action + " to " + at_.name + ": " + d.context;
            co_return error(answer.error().what(), std::move(d));
        }
        auto said = answer->status < 300 ? error_body() : read_refusal(*answer);
        if (answer->status < 300) {
            said.message = false_success(*answer, "SQS");
            if (said.message.empty()) co_return answer;
        }
        const auto verdict = judge_sqs(answer->status, said.code);
        const bool curable = verdict.remedy != sqs_remedy::none && req.idempotent;
        bool cured = false;
        if (curable && verdict.remedy == sqs_remedy::adjust_clock && !std::exchange(learned, true))
            cured = learn_clock(*answer);
        if (curable && !cured && keys_ && !std::exchange(renewed, true))
            cured = co_await keys_->renew(used, deadline);
        if (!cured) co_return refusal(action, *answer, said, verdict.what);
    }
}

bool sqs_exchange::learn_clock(const http::response& r) {
    const auto ahead = new_clock_ahead(r, shard_.time.wall_now(), signer_.offset());
    if (!ahead) return false;
    signer_.use_offset(*ahead);
    shard_.log.warning("the clock differs from SQS's; requests are signed with the server's time",
                       {{"endpoint", http::describe(at_.to)},
                        {"seconds", std::chrono::duration_cast<std::chrono::seconds>(*ahead).count()}});
    return true;
}

error sqs_exchange::refusal(std::string_view action, const http::response& r, const error_body& said,
                            disposition what) const {
    const auto advice = sqs_advice(said.code, r.status, action, at_.name, signer_.identity().access_key_id);
    const auto plain = refused_answer(what, r, said, "x-amzn-requestid", advice, shard_.time.wall_now());
    error_details d = plain.details();
    d.context = std::string(action) + " to " + at_.name + ": " + d.context;
    return {what, std::move(d)};
}

error sqs_exchange::refused_entry(std::string_view action, std::string_view code,
                                  std::string_view message) const {
    http::response of_the_batch;
    of_the_batch.status = 200;
    error_body said;
    said.code = code;
    said.message = message;
    return refusal(action, of_the_batch, said, judge_sqs(of_the_batch.status, code).what);
}

}  // namespace firehose::storage
