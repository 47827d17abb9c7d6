/// Keys of a container's role: ECS, EKS Pod Identity, and whatever else speaks their protocol.
#pragma once
#include "storage/credential_provider.hpp"
#include "storage/unsigned_call.hpp"

#include <string>

namespace firehose::storage {

/// Where AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (on 169.254.170.2) or, without it,
/// AWS_CONTAINER_CREDENTIALS_FULL_URI leads. The full URI may be https anywhere; plain http only on this
/// machine and at the addresses of ECS (169.254.170.2) and EKS (169.254.170.23, fd00:ec2::23). Pure.
struct container_place {
    http::authority to{};
    std::string target{};
};
result<container_place> find_container(const std::string& relative_uri, const std::string& full_uri);

/// GET with the token of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, read anew each time, or of
/// AWS_CONTAINER_AUTHORIZATION_TOKEN. Protocol: "Container credential provider" of AWS's SDK reference guide.
class aws_container final : public credential_provider {
public:
    explicit aws_container(provider_parts parts) : parts_(std::move(parts)) {}
    std::string describe() const override { return "the container's metadata"; }
    task<result<credential_value>> fetch(time_source::steady deadline) override;

private:
    task<result<std::string>> token();

    provider_parts parts_;
};

}  // namespace firehose::storage
