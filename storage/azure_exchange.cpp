#include "storage/azure_exchange.hpp"

#include "http/date.hpp"
#include "storage/shared_key.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace firehose::storage {

namespace {

/// Azure accepts a quarter of an hour; less than this is not what it complained about.
constexpr std::chrono::minutes noticeable{5};

/// <Message> goes on with the request's id and the time, on lines of their own.
std::string first_line(const std::string& text) { return text.substr(0, text.find_first_of("\r\n")); }

std::optional<http::hmac_key> prepared(const secret& key) {
    auto bytes = http::from_base64(key.reveal());
    if (!bytes || bytes->empty()) return std::nullopt;
    http::hmac_key made(*bytes);
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return made;
}

}  // namespace

azure_signer::azure_signer(std::string account, const secret& key)
    : account_(std::move(account)), key_(prepared(key)) {}

result<> azure_signer::sign(http::request& req, time_source::wall now) {
    for (const auto& [name, value] : req.headers)
        if (!shared_key::may_carry(name))
            return error(disposition::park, "header " + name + " sorts differently from server to server");
    http::set_header(req.headers, "x-ms-date", http::format_date(now + ahead_));
    if (!key_) return {};
    const std::string_view target = req.target;
    const std::size_t mark = std::min(target.find('?'), target.size());
    const auto query = target.substr(std::min(mark + 1, target.size()));
    const shared_key::subject what{req.method, target.substr(0, mark), query, req.headers,
                                   http::body_size(req)};
    const auto text = shared_key::string_to_sign(what, account_);
    http::set_header(req.headers, "Authorization", shared_key::authorization(*key_, account_, text));
    return {};
}

std::string azure_lie(const http::request& req, const http::response& r) {
    auto lie = false_success(r, "Azure");
    if (!lie.empty()) return lie;
    if (req.method != "PUT") return {};
    const bool proof = !header_or_empty(r, "etag").empty() || !header_or_empty(r, "x-ms-request-id").empty();
    if (proof && r.status == 201) return {};
    return "nothing in the answer says that it was stored";
}

azure_exchange::azure_exchange(context& shard, const http::transport_factory& connect,
                               const azure_connection& at, std::string container)
    : shard_(shard),
      to_(at.endpoint.to),
      account_(at.account),
      container_(std::move(container)),
      signer_(account_, at.sas.empty() ? at.key : secret()),
      bottom_(connect(to_, &signer_)) {}

task<result<http::response>> azure_exchange::send(http::request& req, time_source::steady deadline) {
    bool learned = false;
    for (;;) {
        http::set_header(req.headers, "Host", http::host_header(to_));
        auto answer = co_await bottom_->send(req, deadline);
        if (!answer.has_value()) co_return answer;
        auto said = read_error_body(answer->body);
        if (answer->status < 300) {
            const auto lie = azure_lie(req, *answer);
            if (lie.empty()) co_return answer;
            if (said.message.empty()) said.message = lie;
        } else if (said.code.empty()) {
            said.code = header_or_empty(*answer, "x-ms-error-code");
        }
        const auto verdict = judge_azure(answer->status, said.code);
        const bool curable = verdict.remedy == azure_remedy::adjust_clock && req.idempotent;
        if (!curable || std::exchange(learned, true) || !learn_clock(*answer))
            co_return refusal(req, *answer, std::move(said), verdict.what);
    }
}

bool azure_exchange::learn_clock(const http::response& r) {
    if (!signer_.has_key()) return false;  // a SAS is judged by the server's clock alone
    const auto ahead = clock_ahead(r, shard_.time.wall_now());
    if (!ahead || std::chrono::abs(*ahead - signer_.offset()) < noticeable) return false;
    signer_.use_offset(*ahead);
    shard_.log.warning("the clock differs from Azure's; requests are signed with the server's time",
                       {{"endpoint", http::describe(to_)},
                        {"seconds", std::chrono::duration_cast<std::chrono::seconds>(*ahead).count()}});
    return true;
}

error azure_exchange::refusal(const http::request& req, const http::response& r, error_body said,
                              disposition what) const {
    said.message = first_line(said.message);
    const azure_subject about{req.method, account_, container_, !signer_.has_key()};
    const auto advice = azure_advice(said.code, r.status, about);
    return refused_answer(what, r, said, "x-ms-request-id", advice, shard_.time.wall_now());
}

}  // namespace firehose::storage
