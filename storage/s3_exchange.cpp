#include "storage/s3_exchange.hpp"

#include "storage/s3_advice.hpp"
#include "storage/s3_upload.hpp"

#include <algorithm>
#include <utility>

namespace firehose::storage {

namespace {

sigv4::identity identity_of(const credential& with) {
    return {with.username, with.password, with.session_token};
}

/// A POST begins or completes an upload in parts; S3 may answer 200 before it knows how that ends.
std::string post_lie(const http::request& req, const http::response& r) {
    const bool completes = req.target.find("uploadId=") != std::string::npos;
    const bool whole = completes ? read_completed(r.body).has_value() : read_upload_id(r.body).has_value();
    if (whole && r.status == 200) return {};
    return completes ? "the answer is not a whole CompleteMultipartUploadResult"
                     : "the answer is not a whole InitiateMultipartUploadResult";
}

/// HEAD has no body that would say whether the keys are out of date.
bool may_be_the_keys(const http::request& req, int status, const error_body& said) {
    return req.method == "HEAD" && said.code.empty() && (status == 400 || status == 403);
}

}  // namespace

void s3_signer::use_identity(sigv4::identity who) {
    who_ = std::move(who);
    keys_ = {};
}

result<> s3_signer::sign(http::request& req, time_source::wall now) {
    const std::string stamp = sigv4::format_stamp(now + ahead_);
    http::set_header(req.headers, "x-amz-date", stamp);
    if (!who_.session_token.empty())
        http::set_header(req.headers, "x-amz-security-token", who_.session_token.reveal());
    else
        std::erase_if(req.headers, [](const auto& h) { return h.first == "x-amz-security-token"; });
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
    // What an object holds and calls itself is its owner's business; only objects come with an ETag.
    const bool object = req.method == "GET" && r.status != 203 && !header_or_empty(r, "etag").empty();
    if (object) return {};
    auto lie = false_success(r, "S3");
    if (!lie.empty()) return lie;
    if (req.method == "POST") return post_lie(req, r);
    if (req.method == "PUT") {
        const bool proof =
            !header_or_empty(r, "etag").empty() || !header_or_empty(r, "x-amz-request-id").empty();
        if (!proof || (r.status != 200 && r.status != 201))
            return "nothing in the answer says that it was stored";
    }
    return {};
}

s3_exchange::s3_exchange(context& shard, http::transport_factory connect, credential with, std::string bucket,
                         s3_location at, destination_settings given, s3_key_source keys)
    : shard_(shard),
      connect_(std::move(connect)),
      with_(std::move(with)),
      bucket_(std::move(bucket)),
      at_(std::move(at)),
      given_(std::move(given)),
      keys_(std::move(keys)),
      signer_(identity_of(with_), at_.region),
      bottom_(connect_(at_.to, &signer_)) {}

task<result<http::response>> s3_exchange::send(http::request& req, time_source::steady deadline) {
    tried so_far;
    bool refused_keys = false;
    for (;;) {
        if (keys_) {
            auto ready = co_await use_keys(refused_keys, deadline);
            if (!ready.has_value()) co_return ready.error();
            refused_keys = false;
        }
        const auto through = bottom_;
        http::set_header(req.headers, "Host", http::host_header(at_.to));
        auto answer = co_await through->send(req, deadline);
        if (!answer.has_value()) co_return answer;
        auto said = read_error_body(answer->body);
        if (answer->status < 300) {
            const auto lie = s3_lie(req, *answer);
            if (lie.empty()) co_return answer;
            if (said.message.empty()) said.message = lie;
        }
        auto verdict = judge_s3(answer->status, said.code);
        if (may_be_the_keys(req, answer->status, said)) verdict.remedy = s3_remedy::refresh_credentials;
        if (!req.idempotent || !heal(verdict.remedy, *answer, said, so_far)) {
            verdict.what = overridden_verdict(given_, answer->status, said.code).value_or(verdict.what);
            co_return refusal(req, *answer, said, verdict);
        }
        refused_keys = verdict.remedy == s3_remedy::refresh_credentials;
    }
}

task<result<>> s3_exchange::use_keys(bool refused, time_source::steady deadline) {
    auto found = co_await keys_(refused, deadline);
    if (!found.has_value()) co_return found.error();
    const auto& now = signer_.identity();
    const bool same = now.access_key_id == found->access_key_id &&
                      now.secret_access_key.reveal() == found->secret_access_key.reveal() &&
                      now.session_token.reveal() == found->session_token.reveal();
    if (!same) signer_.use_identity(std::move(*found));
    co_return result<>();
}

bool s3_exchange::heal(s3_remedy how, const http::response& r, const error_body& said, tried& so_far) {
    switch (how) {
        case s3_remedy::none: return false;
        case s3_remedy::refresh_credentials:
            return keys_ && !std::exchange(so_far.keys, true);  // otherwise a person must renew them
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
    const auto ahead = clock_ahead(r, shard_.time.wall_now());
    if (!ahead) return false;
    signer_.use_offset(*ahead);
    shard_.log.warning("the clock differs from the S3 server's; requests are signed with the server's time",
                       {{"endpoint", http::describe(at_.to)},
                        {"seconds", std::chrono::duration_cast<std::chrono::seconds>(*ahead).count()}});
    return true;
}

bool s3_exchange::move_to(std::string region) {
    if (!is_region(region)) return false;
    if (region == signer_.region()) return false;
    if (!at_.own_endpoint && aws_domain(region) != aws_domain(at_.region))
        return false;  // never to another domain
    auto moved = locate_s3(with_, bucket_, region, given_.style);
    if (!moved.has_value()) return false;
    shard_.log.warning("the bucket is in another region than configured",
                       {{"bucket", bucket_}, {"region", region}});
    at_ = std::move(*moved);
    signer_.use_region(std::move(region));
    bottom_ = connect_(at_.to, &signer_);
    return true;
}

error s3_exchange::refusal(const http::request& req, const http::response& r, const error_body& said,
                           s3_verdict verdict) const {
    const auto endpoint = http::describe(at_.to);
    const s3_subject about{s3_action(req.method, req.target, at_.base), bucket_,
                           signer_.identity().access_key_id, endpoint, signer_.region()};
    const auto advice = s3_advice(said.code, r.status, about);
    return refused_answer(verdict.what, r, said, "x-amz-request-id", advice, shard_.time.wall_now());
}

}  // namespace firehose::storage
