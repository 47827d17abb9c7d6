/// Keys of an EC2 instance's role, by version 2 of its metadata service and by no older one.
#pragma once
#include "storage/credential_provider.hpp"
#include "storage/unsigned_call.hpp"

#include <string>

namespace firehose::storage {

/// A session token by PUT, the role's name, its keys; each with the token, each with little time, no
/// redirects. The token is kept and asked for again when the service refuses it.
/// AWS_EC2_METADATA_DISABLED=true: not configured. AWS_EC2_METADATA_SERVICE_ENDPOINT, or
/// AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6, lead elsewhere than 169.254.169.254; without https to this
/// machine and link-local addresses only. In a container that is a hop away the answer to the PUT is dropped
/// unless the instance's hop limit is 2: the error says so. Protocol: "Use the Instance Metadata Service" of
/// AWS's EC2 guide.
class aws_instance final : public credential_provider {
public:
    explicit aws_instance(provider_parts parts) : parts_(std::move(parts)) {}
    std::string describe() const override { return "the instance's metadata"; }
    task<result<credential_value>> fetch(time_source::steady deadline) override;

private:
    result<http::endpoint_url> place() const;
    task<result<>> renew_token(http::endpoint_url at, time_source::steady deadline);
    task<result<secret>> get(http::endpoint_url at, std::string path, time_source::steady deadline);

    provider_parts parts_;
    secret token_{};
    time_source::steady token_until_{};
};

}  // namespace firehose::storage
