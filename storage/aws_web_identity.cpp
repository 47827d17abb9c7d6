#include "storage/aws_web_identity.hpp"

#include "storage/aws_keys.hpp"
#include "storage/iso_time.hpp"
#include "storage/near_address.hpp"
#include "storage/provider_answer.hpp"
#include "storage/s3_location.hpp"

#include <pugixml.hpp>

#include <algorithm>

namespace firehose::storage {

result<credential_value> parse_sts_answer(std::string_view body) {
    const auto wrong = [](const std::string& why) {
        return error(disposition::retry, "the answer of STS holds no keys: " + why);
    };
    pugi::xml_document document;
    const auto parsed =
        document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
    if (!parsed) return wrong("it is not XML");
    const auto keys = document.child("AssumeRoleWithWebIdentityResponse")
                          .child("AssumeRoleWithWebIdentityResult")
                          .child("Credentials");
    if (!keys) return wrong("there are no Credentials in it");
    credential_value out;
    out.access_key_id = keys.child_value("AccessKeyId");
    out.secret_access_key = secret(keys.child_value("SecretAccessKey"));
    out.session_token = secret(keys.child_value("SessionToken"));
    const auto problem = aws_keys_problem(out);
    if (!problem.empty()) return wrong(problem);
    if (out.session_token.empty()) return wrong("there is no session token");
    out.expires = parse_iso_time(keys.child_value("Expiration"));
    if (!out.expires) return wrong("its Expiration is no time");
    return out;
}

error sts_refusal(const http::response& r) {
    pugi::xml_document document;
    document.load_buffer(r.body.data(), r.body.size(), pugi::parse_default, pugi::encoding_utf8);
    const auto said = document.child("ErrorResponse").child("Error");
    const std::string_view code = said.child_value("Code");
    const bool passing = code == "ExpiredTokenException" || code == "IDPCommunicationError" ||
                         code == "Throttling" || code == "ThrottlingException";
    const bool hopeless = r.status >= 400 && r.status < 500 && r.status != 429;
    const auto what = passing ? disposition::retry : hopeless ? disposition::stop : judge_status(r.status);
    return call_refused(r, what, code, said.child_value("Message"));
}

std::string sts_endpoint(std::string_view region) {
    return "https://sts." + std::string(region) + "." + std::string(aws_domain(region));
}

namespace {

result<http::endpoint_url> find_sts(const std::string& configured, const std::string& region,
                                    const std::string& ca_file) {
    const auto wrong = [](const std::string& why) { return error(disposition::stop, why); };
    if (configured.empty() && !is_region(region)) return wrong("the region is none: " + region.substr(0, 40));
    auto url = http::parse_endpoint(configured.empty() ? sts_endpoint(region) : configured);
    if (!url.has_value()) return wrong("the endpoint of STS is wrong: " + url.error().context());
    const auto problem = metadata_problem(url->to);
    if (!problem.empty()) return wrong(problem);
    url->to.ca_file = ca_file;
    return std::move(*url);
}

}  // namespace

task<result<credential_value>> aws_web_identity::fetch(time_source::steady deadline) {
    const auto either = [this](const std::string& configured, const char* name) {
        return configured.empty() ? parts_.variable(name) : configured;
    };
    const auto role = either(how_.role_arn, "AWS_ROLE_ARN");
    auto file = either(how_.token_file, "AWS_WEB_IDENTITY_TOKEN_FILE");
    auto session = either(how_.session_name, "AWS_ROLE_SESSION_NAME");
    if (session.empty()) session = "firehose";
    if (file.empty()) co_return no_credentials_there("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    if (role.empty()) co_return error(disposition::stop, "no role is named: role_arn, or AWS_ROLE_ARN");

    auto at = find_sts(either(how_.endpoint, "AWS_ENDPOINT_URL_STS"), aws_region(parts_, how_.region),
                       how_.ca_file);
    if (!at.has_value()) co_return at.error();
    auto token = co_await read_secret_file(parts_, std::move(file));
    if (!token.has_value()) co_return token.error();
    if (token->empty()) co_return error(disposition::retry, "the web identity token file is empty");

    unsigned_call call;
    call.to = at->to;
    call.method = "POST";
    call.target = at->path + "/";
    call.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    call.headers.emplace_back("Accept", "text/xml");
    call.body =
        secret("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + http::encode_query(role) +
               "&RoleSessionName=" + http::encode_query(session) +
               "&WebIdentityToken=" + http::encode_query(*token));
    wipe(*token);
    call.each = std::chrono::milliseconds(5'000);
    call.refusal = sts_refusal;
    auto answer = co_await ask(parts_, std::move(call), deadline);
    if (!answer.has_value()) co_return answer.error();
    co_return parse_sts_answer(answer->reveal());
}

}  // namespace firehose::storage
