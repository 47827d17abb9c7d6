#include "storage/azure_exchange.hpp"

#include "http/date.hpp"
#include "pipeline/text.hpp"
#include "storage/shared_key.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace firehose::storage {

namespace {

std::shared_ptr<credential_source> fixed_key(const secret& key) {
    credential_value value;
    value.account_key = key;
    return fixed_credential(std::move(value), "the configuration");
}

std::optional<http::hmac_key> prepared(const secret& key) {
    auto bytes = http::from_base64(key.reveal());
    if (!bytes || bytes->empty()) return std::nullopt;
    http::hmac_key made(*bytes);
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return made;
}

}  // namespace

azure_signer::azure_signer(std::string account, const secret& key)
    : azure_signer(std::move(account), fixed_key(key)) {}

azure_signer::azure_signer(std::string account, std::shared_ptr<credential_source> from)
    : account_(std::move(account)), source_(std::move(from)) {}

result<> azure_signer::take_key() {
    auto now = source_->current();
    if (!now) return error(disposition::retry, "there is no credential yet to sign with");
    if (now == taken_) return {};
    key_ = prepared(now->account_key);
    taken_ = std::move(now);
    return {};
}

result<> azure_signer::sign(http::request& req, time_source::wall now) {
    auto taken = take_key();
    if (!taken.has_value()) return taken;
    for (const auto& [name, value] : req.headers)
        if (!shared_key::may_carry(name))
            return error(disposition::park, "header " + name + " sorts differently from server to server");
    http::set_header(req.headers, "x-ms-date", http::format_date(now + ahead_));
    std::erase_if(req.headers, [](const auto& h) { return http::same_name(h.first, "Authorization"); });
    if (!taken_->bearer.empty()) {
        http::set_header(req.headers, "Authorization", "Bearer " + taken_->bearer.reveal());
        return {};
    }
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
    // What a blob holds and calls itself is its owner's business; only blobs come with an ETag.
    const bool blob = req.method == "GET" && r.status != 203 && !header_or_empty(r, "etag").empty();
    if (blob) return {};
    auto lie = false_success(r, "Azure");
    if (!lie.empty()) return lie;
    if (req.method != "PUT") return {};
    const bool proof = !header_or_empty(r, "etag").empty() || !header_or_empty(r, "x-ms-request-id").empty();
    if (proof && r.status == 201) return {};
    return "nothing in the answer says that it was stored";
}

namespace {

void add_sas(std::string& target, const secret& sas) {
    if (sas.empty()) return;
    target += target.find('?') == std::string::npos ? '?' : '&';
    target += sas.reveal();
}

azure_access access_by(const credential_value& used) {
    if (!used.bearer.empty()) return azure_access::token;
    return used.sas.empty() ? azure_access::key : azure_access::sas;
}

}  // namespace

azure_exchange::azure_exchange(context& shard, const http::transport_factory& connect,
                               const azure_connection& at, std::string container,
                               std::shared_ptr<credential_source> from, const destination_settings& given)
    : shard_(shard),
      to_(at.endpoint.to),
      account_(at.account),
      container_(std::move(container)),
      source_(std::move(from)),
      given_(given),
      signer_(account_, source_),
      bottom_(connect(to_, &signer_)) {}

task<result<http::response>> azure_exchange::send(http::request& req, time_source::steady deadline) {
    bool learned = false;
    bool renewed = false;
    const std::string target = req.target;
    for (;;) {
        if (source_->due()) {
            auto ready = co_await source_->ready(deadline);
            if (!ready.has_value()) co_return ready.error();
        }
        const auto used = source_->current();
        add_sas(req.target, used->sas);
        http::set_header(req.headers, "Host", http::host_header(to_));
        auto answer = co_await bottom_->send(req, deadline);
        req.target = target;
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
        const bool curable = verdict.remedy != azure_remedy::none && req.idempotent;
        if (!curable) co_return refusal(req, *answer, std::move(said), verdict.what, *used);
        const bool may_learn = verdict.remedy == azure_remedy::adjust_clock && !learned;
        if (may_learn && learn_clock(*answer, *used)) {
            learned = true;
            continue;
        }
        if (!std::exchange(renewed, true)) {
            const bool other = co_await source_->renew(used, deadline);
            if (other) continue;
        }
        co_return refusal(req, *answer, std::move(said), verdict.what, *used);
    }
}

bool azure_exchange::learn_clock(const http::response& r, const credential_value& used) {
    // A SAS and a token are judged by the server's clock alone.
    if (access_by(used) != azure_access::key) return false;
    const auto ahead = new_clock_ahead(r, shard_.time.wall_now(), signer_.offset());
    if (!ahead) return false;
    signer_.use_offset(*ahead);
    shard_.log.warning("the clock differs from Azure's; requests are signed with the server's time",
                       {{"endpoint", http::describe(to_)},
                        {"seconds", std::chrono::duration_cast<std::chrono::seconds>(*ahead).count()}});
    return true;
}

error azure_exchange::refusal(const http::request& req, const http::response& r, error_body said,
                              disposition what, const credential_value& used) const {
    // <Message> goes on with the request's id and the time, on lines of their own.
    said.message = std::string(first_line(said.message));
    const azure_subject about{req.method, account_, container_, access_by(used)};
    const auto advice = azure_advice(said.code, r.status, about);
    what = overridden_verdict(given_, r.status, said.code).value_or(what);
    return refused_answer(what, r, said, "x-ms-request-id", advice, shard_.time.wall_now());
}

}  // namespace firehose::storage
