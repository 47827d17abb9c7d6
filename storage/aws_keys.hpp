/// AWS keys as metadata services and environments hand them out.
#pragma once
#include "storage/credential_provider.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

/// {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}, and of instances "Code", which must be
/// "Success". Pure. Errors never repeat a value.
result<credential_value> parse_aws_keys(std::string_view body);

/// What keys must have: an access key id of visible characters and a secret. Empty when nothing is wrong.
std::string aws_keys_problem(const credential_value& keys);

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_CREDENTIAL_EXPIRATION. The environment
/// of a process does not change, so neither do these.
class aws_environment final : public credential_provider {
public:
    explicit aws_environment(provider_parts parts) : parts_(std::move(parts)) {}
    std::string describe() const override { return "the environment (AWS_ACCESS_KEY_ID)"; }
    task<result<credential_value>> fetch(time_source::steady deadline) override;

private:
    provider_parts parts_;
};

/// AWS_REGION or AWS_DEFAULT_REGION where `configured` is empty; "us-east-1" without them.
std::string aws_region(const provider_parts& parts, const std::string& configured);

}  // namespace firehose::storage
