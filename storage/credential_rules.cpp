#include "storage/credential_rules.hpp"

#include "http/url.hpp"
#include "storage/near_address.hpp"

#include <algorithm>
#include <array>

namespace firehose::storage {

namespace {

constexpr std::array<std::string_view, 7> aws_providers = {"static",   "environment",  "profile", "container",
                                                           "instance", "web_identity", "default"};
constexpr std::array<std::string_view, 3> azure_providers = {"static", "managed_identity", "client_secret"};

/// What only some providers have a use for.
struct member {
    std::string_view name;
    bool given;
    std::string_view of;  ///< providers, with blanks around them
};

template <std::size_t N> std::string listed(const std::array<std::string_view, N>& names) {
    std::string out;
    for (const auto name : names) out.append(out.empty() ? "" : ", ").append("\"").append(name).append("\"");
    return out;
}

std::vector<member> members_of(const credential& c) {
    const bool id = !c.username.empty() || !c.files.username.empty();
    return {
        {"username", id, " static "},
        {"password", !c.password.empty(), " static "},
        {"session_token", !c.session_token.empty(), " static "},
        {"token", !c.token.empty(), " static "},
        {"profile", !c.profile.empty(), " profile "},
        {"role_arn", !c.role_arn.empty(), " web_identity "},
        {"web_identity_token_file", !c.web_identity_token_file.empty(), " web_identity "},
        {"sts_endpoint", !c.sts_endpoint.empty(), " web_identity "},
        {"account", !c.account.empty(), " managed_identity client_secret "},
        {"tenant_id", !c.tenant_id.empty(), " client_secret "},
        {"client_id", !c.client_id.empty(), " client_secret managed_identity "},
        {"client_secret", !c.client_secret.empty(), " client_secret "},
        {"authority_host", !c.authority_host.empty(), " client_secret "},
    };
}

/// Letters, digits, hyphens and dots: ids and domain names of tenants and applications.
bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.';
    });
}

bool is_storage_account(std::string_view text) {
    return text.size() >= 3 && text.size() <= 24 &&
           std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

/// Why a place that is told a secret may not be this one.
std::string place_problem(const std::string& url) {
    const auto parsed = http::parse_endpoint(url);
    return parsed.has_value() ? metadata_problem(parsed->to) : parsed.error().context();
}

void check_identity(const credential& c, std::vector<credential_fault>& out) {
    if (c.account.empty() == c.endpoint.empty())
        out.push_back({"account", "name the storage account, or its endpoint, and not both"});
    if (!c.account.empty() && !is_storage_account(c.account))
        out.push_back({"account", "must be 3 to 24 lower-case letters and digits"});
    if (!c.endpoint.empty()) {
        const auto at = http::parse_endpoint(c.endpoint);
        if (!at.has_value())
            out.push_back({"endpoint", at.error().context()});
        else if (!at->to.tls && !is_loopback(at->to.host))
            out.push_back({"endpoint", "must be https: an access token is sent with every request"});
    }
    const bool client_id_needed = c.provider == "client_secret";
    if (!is_id(c.client_id) && (client_id_needed || !c.client_id.empty()))
        out.push_back({"client_id", "must be the application's id"});
    if (!client_id_needed) return;
    if (!is_id(c.tenant_id)) out.push_back({"tenant_id", "must be the tenant's id or domain name"});
    if (c.client_secret.empty()) out.push_back({"client_secret", "is required"});
    if (c.authority_host.empty()) return;
    auto problem = place_problem(c.authority_host);
    if (!problem.empty()) out.push_back({"authority_host", std::move(problem)});
}

}  // namespace

bool is_static(const credential& with) noexcept { return with.provider.empty() || with.provider == "static"; }

bool can_change(const credential& with) noexcept { return !is_static(with) || !with.files.none(); }

std::vector<credential_fault> credential_faults(const credential& c) {
    std::vector<credential_fault> out;
    const bool azure = c.type == "token";
    const std::string provider = c.provider.empty() ? "static" : c.provider;
    const bool known = azure ? std::ranges::find(azure_providers, provider) != azure_providers.end()
                             : std::ranges::find(aws_providers, provider) != aws_providers.end();
    if (!known) {
        const auto all = azure ? listed(azure_providers) : listed(aws_providers);
        out.push_back({"provider", "must be one of " + all + " for this type"});
        return out;
    }
    for (const auto& m : members_of(c)) {
        const bool used = m.of.find(" " + provider + " ") != std::string_view::npos;
        if (m.given && !used)
            out.push_back({std::string(m.name), "is of no use to the provider \"" + provider + "\""});
    }
    if (azure && provider != "static") check_identity(c, out);
    if (provider != "web_identity") return out;
    if (!c.role_arn.empty() && !c.role_arn.starts_with("arn:"))
        out.push_back({"role_arn", "must begin with \"arn:\""});
    if (c.sts_endpoint.empty()) return out;
    auto problem = place_problem(c.sts_endpoint);
    if (!problem.empty()) out.push_back({"sts_endpoint", std::move(problem)});
    return out;
}

std::string aws_credential_problem(const credential& with, const std::string& name) {
    const auto faults = credential_faults(with);
    if (!faults.empty()) return name + ": " + faults.front().member + " " + faults.front().message;
    if (!is_static(with)) return {};
    if (with.username.empty()) return name + " has no username, which is the access key id";
    const bool visible = std::ranges::all_of(
        with.username, [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ','; });
    if (!visible) return name + ": the username is not an access key id";
    if (with.password.empty()) return name + " has no password, which is the secret access key";
    return {};
}

std::string azure_endpoint(const credential& with) {
    if (!with.endpoint.empty()) return with.endpoint;
    return "https://" + with.account + ".blob.core.windows.net";
}

}  // namespace firehose::storage
