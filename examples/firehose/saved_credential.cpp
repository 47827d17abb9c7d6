#include "examples/firehose/saved_credential.hpp"

#include "examples/firehose/config_credentials.hpp"
#include "examples/firehose/config_reader.hpp"
#include "examples/firehose/secret_names.hpp"

#include <boost/json/array.hpp>

#include <array>

namespace firehose::app {
namespace json = boost::json;
namespace {

constexpr std::array<std::string_view, 3> own_members{"id", "created_at", "updated_at"};
constexpr std::array<std::string_view, 6> members_of_this_machine{
    "ca_file", "client_certificate", "client_key", "profile", "role_arn", "web_identity_token_file"};
constexpr std::array<std::string_view, 15> visible_members{
    "name",    "type",      "package",   "username", "access_key_id",  "endpoint",   "region",    "provider",
    "account", "tenant_id", "client_id", "role_arn", "authority_host", "created_at", "updated_at"};

std::string pointer_to(std::string_view member) { return "/" + escape_pointer(member); }

void check_members(const json::object& from, std::vector<fault>& faults) {
    for (const auto& [key, value] : from) {
        const std::string_view name(key);
        const bool may_be_secret = names_a_secret(name) || name == "username" || name == "access_key_id";
        if (may_be_secret && value.is_object())
            faults.push_back({pointer_to(name), "must be the value itself: files and variables of the server "
                                                "belong into its configuration"});
    }
    for (const auto name : members_of_this_machine)
        if (from.if_contains(name))
            faults.push_back({pointer_to(name),
                              "names something of the server's machine: that belongs into its "
                              "configuration"});
}

void check_complete(const storage::credential& c, std::vector<fault>& faults) {
    const bool application = c.provider == "client_secret";
    if (!c.provider.empty() && c.provider != "static" && !application) {
        faults.push_back({"/provider", "must be \"static\" or \"client_secret\": identities of the server's "
                                       "machine belong into its configuration"});
        return;
    }
    if (application) return;
    const auto need = [&](bool there, const char* member, const char* called) {
        if (!there) faults.push_back({pointer_to(member), called});
    };
    if (c.type == "user") {
        need(!c.username.empty(), "username", "is required: the access key id");
        need(!c.password.empty(), "password", "is required: the secret access key");
    } else {
        need(!c.token.empty(), "token", "is required: the connection string");
    }
}

/// What the kind of store that uses such a credential says about it.
std::string opinion_of(const storage::credential& c, const storage::registry& stores) {
    const auto* kind = stores.find(c.type == "user" ? "s3" : "azure");
    if (!kind || !kind->check) return {};
    storage::destination to;
    to.service = to.type = c.type == "user" ? "s3" : "azure";
    to.bucket = "any-bucket";
    to.credential_id = c.id;
    return kind->check(to, &c);
}

}  // namespace

storage::credential read_saved_credential(const std::string& id, const json::object& from,
                                          const storage::registry& stores, std::vector<fault>& faults) {
    json::object rest = from;
    for (const auto name : own_members) rest.erase(name);
    check_members(rest, faults);
    storage::credential out;
    out.id = id;
    if (!faults.empty()) return out;
    std::vector<fault> about_secrets_in_the_text;
    const object_reader reader(rest, "", faults);
    out = read_credential(id, reader, {}, secrets::read, about_secrets_in_the_text);
    if (out.endpoint.find('@') != std::string::npos)
        reader.fail("endpoint", "must not hold a user name or password");
    const bool has_type = out.type == "user" || out.type == "token";
    if (has_type) check_complete(out, faults);
    if (faults.empty())
        if (auto problem = opinion_of(out, stores); !problem.empty())
            faults.push_back({"", std::move(problem)});
    return out;
}

json::object visible_credential(const std::string& id, const json::object& from, std::string_view origin) {
    json::object out;
    out["id"] = id;
    for (const auto name : visible_members)
        if (const auto* value = from.if_contains(name)) out[name] = *value;
    json::array secrets;
    for (const auto& [key, value] : from)
        if (names_a_secret(key) && !value.is_null()) secrets.emplace_back(json::string_view(key));
    out["secrets"] = std::move(secrets);
    out["origin"] = origin;
    return out;
}

}  // namespace firehose::app
