#include "storage/s3_exchange.hpp"

#include "http/date.hpp"

#include <algorithm>
#include <utility>

namespace firehose::storage {

namespace {

std::string header_or_empty(const http::response& r, std::string_view name) {
    const auto* value = http::find_header(r.headers, name);
    return value == nullptr ? std::string() : *value;
}

/// What came from a server is shown in one piece, at most so long.
void append_shown(std::string& out, std::string_view text) {
    constexpr std::size_t most = 300;
    out.append(text.substr(0, most));
    if (text.size() > most) out += "…";
}

sigv4::identity identity_of(const credential& with) {
    return {with.username, with.password, with.session_token};
}

}  // namespace

result<> s3_signer::sign(http::request& req, time_source::wall now) {
    const std::string stamp = sigv4::format_stamp(now + ahead_);
    http::set_header(req.headers, "x-amz-date", stamp);
    if (!who_.session_token.empty())
        http::set_header(req.headers, "x-amz-security-token", who_.session_token.reveal());
    const auto* hash = http::find_header(req.headers, "x-amz-content-sha256");
    if (hash == nullptr) return error(disposition::park, "the request has no x-amz-content-sha256 to sign");
    const std::string_view target = req.target;
    const std::size_t mark = std::min(target.find('?'), target.size());
    const auto query = target.substr(std::min(mark + 1, target.size()));
    const sigv4::subject what{req.method, target.substr(0, mark), query, req.headers, *hash};
    auto done = sigv4::sign_headers(what, who_, region_, "s3", stamp, sigv4::path_rules::s3, keys_);
    http::set_header(req.headers, "Authorization", std::move(done.authorization));
    return {};
}

std::string s3_lie(const http::request& req, const http::response& r) {
    if (r.status == 203) return "a proxy answered in the server's place";
    const auto type = header_or_empty(r, "content-type");
    if (type.starts_with("text/html")) return "a web page came back instead of an S3 answer";
    if (!read_s3_error(r.body).code.empty()) return "an error came back with a status of success";
    if (req.method == "PUT") {
        const bool proof =
            !header_or_empty(r, "etag").empty() || !header_or_empty(r, "x-amz-request-id").empty();
        if (!proof || (r.status != 200 && r.status != 201))
            return "nothing in the answer says that it was stored";
    }
    return {};
}

s3_exchange::s3_exchange(context& shard, http::transport_factory connect, credential with, std::string bucket,
                         s3_location at)
    : shard_(shard),
      connect_(std::move(connect)),
      with_(std::move(with)),
      bucket_(std::move(bucket)),
      at_(std::move(at)),
      signer_(identity_of(with_), at_.region),
      bottom_(connect_(at_.to, &signer_)) {}

task<result<http::response>> s3_exchange::send(http::request& req, time_source::steady deadline) {
    tried so_far;
    for (;;) {
        const auto through = bottom_;
        http::set_header(req.headers, "Host", http::host_header(at_.to));
        auto answer = co_await through->send(req, deadline);
        if (!answer.has_value()) co_return answer;
        auto said = read_s3_error(answer->body);
        if (answer->status < 300) {
            const auto lie = s3_lie(req, *answer);
            if (lie.empty()) co_return answer;
            if (said.message.empty()) said.message = lie;
        }
        const auto verdict = judge_s3(answer->status, said.code);
        if (!req.idempotent || !heal(verdict.remedy, *answer, said, so_far))
            co_return refusal(req, *answer, said, verdict);
    }
}

bool s3_exchange::heal(s3_remedy how, const http::response& r, const s3_error_body& said, tried& so_far) {
    switch (how) {
        case s3_remedy::none:
        case s3_remedy::refresh_credentials: return false;  // static keys: a person must renew them
        case s3_remedy::adjust_clock:
            if (std::exchange(so_far.clock, true)) return false;
            return learn_clock(r);
        case s3_remedy::other_region:
            if (++so_far.regions > 2) return false;
            auto region = header_or_empty(r, "x-amz-bucket-region");
            return move_to(region.empty() ? said.region : region);
    }
    return false;
}

bool s3_exchange::learn_clock(const http::response& r) {
    const auto theirs = http::parse_date(header_or_empty(r, "date"));
    if (!theirs) return false;
    const auto ahead = *theirs - shard_.time.wall_now();
    signer_.use_offset(ahead);
    shard_.log.warning("the clock differs from the S3 server's; requests are signed with the server's time",
                       {{"endpoint", http::describe(at_.to)},
                        {"seconds", std::chrono::duration_cast<std::chrono::seconds>(ahead).count()}});
    return true;
}

bool s3_exchange::move_to(std::string region) {
    if (!is_region(region)) return false;
    if (region == signer_.region()) return false;
    if (!at_.own_endpoint && aws_domain(region) != aws_domain(at_.region))
        return false;  // never to another domain
    auto moved = locate_s3(with_, bucket_, region);
    if (!moved.has_value()) return false;
    shard_.log.warning("the bucket is in another region than configured",
                       {{"bucket", bucket_}, {"region", region}});
    at_ = std::move(*moved);
    signer_.use_region(std::move(region));
    bottom_ = connect_(at_.to, &signer_);
    return true;
}

error s3_exchange::refusal(const http::request& req, const http::response& r, const s3_error_body& said,
                           s3_verdict verdict) const {
    error_details d;
    d.status = r.status;
    d.provider_code = said.code;
    auto& text = d.context;
    text = std::to_string(r.status);
    if (!said.code.empty()) {
        text += " ";
        append_shown(text, said.code);
    }
    auto id = header_or_empty(r, "x-amz-request-id");
    if (id.empty()) id = said.request_id;
    if (!id.empty()) {
        text += ", request id ";
        append_shown(text, id);
    }
    if (!said.message.empty()) {
        text += ": ";
        append_shown(text, said.message);
    }
    const auto advice = s3_advice(said.code, r.status, req.method, bucket_, with_.username);
    if (!advice.empty()) text.append("; ").append(advice);
    if (const auto* after = http::find_header(r.headers, "retry-after"))
        d.retry_after = http::parse_retry_after(*after, shard_.time.wall_now());
    return {verdict.what, std::move(d)};
}

}  // namespace firehose::storage
