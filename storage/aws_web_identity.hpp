/// Keys for a token that somebody else issued: AssumeRoleWithWebIdentity of STS, as EKS uses it.
#pragma once
#include "storage/credential_provider.hpp"
#include "storage/unsigned_call.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

/// What is asked for. Members that are empty come from the environment.
struct web_identity {
    std::string role_arn{};      ///< AWS_ROLE_ARN
    std::string token_file{};    ///< AWS_WEB_IDENTITY_TOKEN_FILE
    std::string session_name{};  ///< AWS_ROLE_SESSION_NAME; else "firehose"
    std::string region{};        ///< AWS_REGION, AWS_DEFAULT_REGION; else us-east-1
    std::string endpoint{};      ///< AWS_ENDPOINT_URL_STS; else the region's own
    std::string ca_file{};       ///< PEM file to trust instead of the system's roots
};

/// The <Credentials> of an answer. Pure.
result<credential_value> parse_sts_answer(std::string_view body);

/// What STS's refusals mean: a token that has expired and an identity provider that did not answer are worth
/// another try, the token file being read anew; other refusals need a person.
error sts_refusal(const http::response& r);

/// "https://sts.eu-central-1.amazonaws.com", or under the domain of the region's partition.
std::string sts_endpoint(std::string_view region);

class aws_web_identity final : public credential_provider {
public:
    aws_web_identity(provider_parts parts, web_identity how)
        : parts_(std::move(parts)), how_(std::move(how)) {}
    std::string describe() const override { return "STS, by web identity"; }
    task<result<credential_value>> fetch(time_source::steady deadline) override;

private:
    provider_parts parts_;
    web_identity how_;
};

}  // namespace firehose::storage
