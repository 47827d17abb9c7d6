/// Which credentials there may be: what each way of getting one needs.
#pragma once
#include "storage/credentials.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage {

/// `member` is the one of the configuration that is wrong, "" for the credential as a whole.
struct credential_fault {
    std::string member{};
    std::string message{};
};

/// Every fault of how a credential is to be got. Pure: nothing is looked up. The providers of type "user"
/// (AWS) are static, environment, profile, container, instance, web_identity and default; of type "token"
/// (Azure) static, managed_identity and client_secret. What static needs is checked by whoever uses it.
std::vector<credential_fault> credential_faults(const credential& with);

/// True for a credential whose keys stand in it.
bool is_static(const credential& with) noexcept;

/// True when its keys may be others tomorrow: they come from a provider, or from files.
bool can_change(const credential& with) noexcept;

/// What is wrong with it for S3, in words; empty when nothing is. `name` is "credential 507f…".
std::string aws_credential_problem(const credential& with, const std::string& name);

/// Where the blobs of an identity without connection string are, "https://acme.blob.core.windows.net": its
/// endpoint, or made of its account.
std::string azure_endpoint(const credential& with);

}  // namespace firehose::storage
