#include "storage/aws_web_identity.hpp"

#include "storage/aws_keys.hpp"
#include "storage/sts_call.hpp"

namespace firehose::storage {

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

    auto at = find_sts(parts_, how_.endpoint, aws_region(parts_, how_.region));
    if (!at.has_value()) co_return at.error();
    at->to.ca_file = how_.ca_file;
    auto token = co_await read_secret_file(parts_, std::move(file));
    if (!token.has_value()) co_return token.error();
    if (token->empty()) co_return error(disposition::retry, "the web identity token file is empty");

    auto call = sts_call(*at);
    call.body =
        secret("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + http::encode_query(role) +
               "&RoleSessionName=" + http::encode_query(session) +
               "&WebIdentityToken=" + http::encode_query(*token));
    wipe(*token);
    auto answer = co_await ask(parts_, std::move(call), deadline);
    if (!answer.has_value()) co_return answer.error();
    co_return parse_sts_answer(answer->reveal());
}

}  // namespace firehose::storage
