/// Azure's access tokens: of a managed identity, and of an application with a secret.
#pragma once
#include "storage/credential_provider.hpp"
#include "storage/unsigned_call.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

/// {"access_token", "expires_in" or "expires_on"}: seconds from now, or since 1970. Pure; `now` is when the
/// answer came.
result<credential_value> parse_access_token(std::string_view body, time_source::wall now);

/// What a refusal of a token endpoint means, from {"error", "error_description"}.
error token_refusal(const http::response& r);

/// The identity that Azure gave a machine, a container or an app: of the endpoint that IDENTITY_ENDPOINT and
/// IDENTITY_HEADER name (App Service, Functions, Container Apps), else of the instance's metadata at
/// 169.254.169.254. Without https only this machine and link-local addresses are asked. Protocol: "How to use
/// managed identities" of Microsoft's Entra and App Service documentation.
class azure_managed_identity final : public credential_provider {
public:
    /// `client_id` chooses among several identities; empty for the machine's own.
    azure_managed_identity(provider_parts parts, std::string client_id)
        : parts_(std::move(parts)), client_id_(std::move(client_id)) {}
    std::string describe() const override { return "the managed identity"; }
    task<result<credential_value>> fetch(time_source::steady deadline) override;

private:
    result<unsigned_call> question() const;

    provider_parts parts_;
    std::string client_id_;
};

/// What an application logs in with.
struct azure_application {
    std::string tenant_id{};
    std::string client_id{};
    secret client_secret{};
    std::string client_secret_file{};  ///< read anew each time, instead of client_secret
    std::string authority_host{};      ///< empty: "https://login.microsoftonline.com"
    std::string ca_file{};             ///< PEM file to trust instead of the system's roots
};

/// The client credentials grant of Entra ID's token endpoint, version 2, for https://storage.azure.com/.
class azure_client_secret final : public credential_provider {
public:
    azure_client_secret(provider_parts parts, azure_application who)
        : parts_(std::move(parts)), who_(std::move(who)) {}
    std::string describe() const override { return "Entra ID, by client secret"; }
    task<result<credential_value>> fetch(time_source::steady deadline) override;

private:
    provider_parts parts_;
    azure_application who_;
};

}  // namespace firehose::storage
