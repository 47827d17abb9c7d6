#include "storage/aws_keys.hpp"

#include "storage/flat_json.hpp"
#include "storage/iso_time.hpp"

#include <algorithm>

namespace firehose::storage {

std::string aws_keys_problem(const credential_value& keys) {
    const auto& id = keys.access_key_id;
    if (id.empty()) return "there is no access key id";
    const bool visible =
        std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ','; });
    if (!visible) return "the access key id is none";
    if (keys.secret_access_key.empty()) return "there is no secret access key";
    return {};
}

result<credential_value> parse_aws_keys(std::string_view body) {
    const auto wrong = [](const std::string& why) {
        return error(disposition::retry, "the answer holds no keys: " + why);
    };
    const auto said = flat_json::parse(body);
    if (!said) return wrong("it is not a JSON object");
    const auto& code = said->text("Code");
    if (!code.empty() && code != "Success") return wrong("its Code is " + code.substr(0, 100));
    credential_value out;
    out.access_key_id = said->text("AccessKeyId");
    out.secret_access_key = said->get("SecretAccessKey");
    out.session_token = said->get("Token");
    const auto problem = aws_keys_problem(out);
    if (!problem.empty()) return wrong(problem);
    const auto& until = said->text("Expiration");
    if (until.empty()) return out;
    out.expires = parse_iso_time(until);
    if (!out.expires) return wrong("its Expiration is no time");
    return out;
}

task<result<credential_value>> aws_environment::fetch(time_source::steady) {
    credential_value out;
    out.access_key_id = parts_.variable("AWS_ACCESS_KEY_ID");
    out.secret_access_key = secret(parts_.variable("AWS_SECRET_ACCESS_KEY"));
    out.session_token = secret(parts_.variable("AWS_SESSION_TOKEN"));
    if (out.access_key_id.empty() && out.secret_access_key.empty())
        co_return no_credentials_there("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
    if (out.access_key_id.empty() || out.secret_access_key.empty())
        co_return error(disposition::stop,
                        "one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is not set; both are needed");
    const auto problem = aws_keys_problem(out);
    if (!problem.empty()) co_return error(disposition::stop, "AWS_ACCESS_KEY_ID: " + problem);
    out.expires = parse_iso_time(parts_.variable("AWS_CREDENTIAL_EXPIRATION"));
    co_return out;
}

std::string aws_region(const provider_parts& parts, const std::string& configured) {
    if (!configured.empty()) return configured;
    for (const auto* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
        auto region = parts.variable(name);
        if (!region.empty()) return region;
    }
    return "us-east-1";
}

}  // namespace firehose::storage
