/// Keys for a token that somebody else issued: AssumeRoleWithWebIdentity of STS, as EKS uses it.
#pragma once
#include "storage/credential_provider.hpp"

#include <string>

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
