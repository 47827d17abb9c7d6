#include "storage/aws_assume_role.hpp"

#include "http/digest.hpp"
#include "storage/sigv4.hpp"
#include "storage/sts_call.hpp"

namespace firehose::storage {

namespace {

std::string question(const assumed_role& what) {
    const std::string session = what.session_name.empty() ? "firehose" : what.session_name;
    std::string out = "Action=AssumeRole&Version=2011-06-15&RoleArn=" + http::encode_query(what.role_arn) +
                      "&RoleSessionName=" + http::encode_query(session);
    if (!what.external_id.empty()) out += "&ExternalId=" + http::encode_query(what.external_id);
    if (what.duration.count() > 0) out += "&DurationSeconds=" + std::to_string(what.duration.count());
    return out;
}

/// Good for the few seconds that an answer may take; the attempts share it.
void sign(unsigned_call& call, const credential_value& by, const std::string& region, time_source::wall now) {
    const std::string stamp = sigv4::format_stamp(now);
    call.headers.emplace_back("X-Amz-Date", stamp);
    if (!by.session_token.empty())
        call.headers.emplace_back("X-Amz-Security-Token", by.session_token.reveal());
    auto headers = call.headers;
    headers.emplace_back("Host", http::host_header(call.to));
    const std::string hash = http::to_hex(http::sha256(call.body.reveal()));
    const sigv4::subject what{call.method, call.target, {}, headers, hash};
    const sigv4::identity who{by.access_key_id, by.secret_access_key, by.session_token};
    sigv4::key_cache keys;
    auto done = sigv4::sign_headers(what, who, region, "sts", stamp, sigv4::path_rules::generic, keys);
    call.headers.emplace_back("Authorization", std::move(done.authorization));
}

}  // namespace

task<result<credential_value>> assume_role(provider_parts parts, credential_value by, assumed_role what,
                                           time_source::steady deadline) {
    auto at = find_sts(parts, {}, what.region);
    if (!at.has_value()) co_return at.error();
    auto call = sts_call(*at);
    call.body = secret(question(what));
    sign(call, by, what.region, parts.shard.time.wall_now());
    auto answer = co_await ask(parts, std::move(call), deadline);
    if (!answer.has_value()) co_return answer.error();
    co_return parse_sts_answer(answer->reveal());
}

}  // namespace firehose::storage
