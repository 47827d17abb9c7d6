#include "storage/aws_instance.hpp"

#include "pipeline/text.hpp"
#include "storage/aws_keys.hpp"
#include "storage/near_address.hpp"
#include "storage/provider_answer.hpp"

#include <algorithm>

namespace firehose::storage {

namespace {

constexpr std::string_view base = "/latest/meta-data/iam/security-credentials/";
constexpr std::chrono::seconds token_life{21'600};
constexpr std::chrono::milliseconds one_call{1'000};

bool is_role(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("+=,.@_-").find(c) != std::string_view::npos;
    });
}

}  // namespace

result<http::endpoint_url> aws_instance::place() const {
    if (http::same_name(parts_.variable("AWS_EC2_METADATA_DISABLED"), "true"))
        return no_credentials_there("AWS_EC2_METADATA_DISABLED is true");
    std::string text = parts_.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const bool ipv6 = http::same_name(parts_.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6");
    if (text.empty()) text = ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    auto url = http::parse_endpoint(text);
    if (!url.has_value())
        return error(disposition::stop,
                     "AWS_EC2_METADATA_SERVICE_ENDPOINT is wrong: " + url.error().context());
    const auto problem = metadata_problem(url->to);
    if (!problem.empty()) return error(disposition::stop, "AWS_EC2_METADATA_SERVICE_ENDPOINT: " + problem);
    return std::move(*url);
}

task<result<>> aws_instance::renew_token(http::endpoint_url at, time_source::steady deadline) {
    unsigned_call call;
    call.to = at.to;
    call.method = "PUT";
    call.target = at.path + "/latest/api/token";
    call.headers.emplace_back("X-aws-ec2-metadata-token-ttl-seconds", std::to_string(token_life.count()));
    call.each = one_call;
    auto answer = co_await ask(parts_, std::move(call), deadline);
    if (!answer.has_value()) {
        error_details d = answer.error().details();
        if (d.status == 0) d.context += "; in a container the instance's metadata hop limit must be 2";
        co_return error(answer.error().what(), std::move(d));
    }
    token_ = std::move(*answer);
    token_until_ = parts_.shard.time.now() + token_life * 9 / 10;
    if (token_.empty() || token_.reveal().find_first_of("\r\n") != std::string::npos)
        co_return error(disposition::retry, "the instance's metadata gave no session token");
    co_return result<>();
}

task<result<secret>> aws_instance::get(http::endpoint_url at, std::string path,
                                       time_source::steady deadline) {
    for (bool fresh = false;; fresh = true) {
        if (fresh || token_.empty() || parts_.shard.time.now() >= token_until_) {
            auto renewed = co_await renew_token(at, deadline);
            if (!renewed.has_value()) co_return renewed.error();
        }
        unsigned_call call;
        call.to = at.to;
        call.target = at.path + path;
        call.headers.emplace_back("X-aws-ec2-metadata-token", token_.reveal());
        call.each = one_call;
        auto answer = co_await ask(parts_, std::move(call), deadline);
        const bool outdated = !answer.has_value() && answer.error().status() == 401;
        if (!outdated || fresh) co_return answer;
    }
}

task<result<credential_value>> aws_instance::fetch(time_source::steady deadline) {
    auto at = place();
    if (!at.has_value()) co_return at.error();
    const std::string roles(base);
    auto listed = co_await get(*at, roles, deadline);
    if (!listed.has_value()) {
        error_details d = listed.error().details();
        if (d.status == 404) d.context += "; no role is attached to the instance";
        co_return error(listed.error().what(), std::move(d));
    }
    const std::string role(first_line(listed->reveal()));  // one for each instance
    if (!is_role(role)) co_return error(disposition::retry, "the instance's metadata names no role");
    const auto path = roles + role;
    auto keys = co_await get(*at, path, deadline);
    if (!keys.has_value()) co_return keys.error();
    co_return parse_aws_keys(keys->reveal());
}

}  // namespace firehose::storage
