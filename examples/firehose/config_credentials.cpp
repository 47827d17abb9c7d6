#include "examples/firehose/config_credentials.hpp"

#include "storage/credential_rules.hpp"

namespace firehose::app {
namespace {

/// Reads the members of one credential that are, or may be, secrets.
struct secret_reader {
    const object_reader& from;
    const std::filesystem::path& base;
    secrets how;
    std::vector<fault>& warnings;

    void read(std::string_view name, storage::secret& into, std::string& file) const {
        if (!from.find(name)) return;
        from.read_secret(name, base, how, into, warnings);
        const auto* value = from.find(name);
        const auto* path = value->is_object() ? value->get_object().if_contains("file") : nullptr;
        file = path && path->is_string() ? (base / std::string(path->get_string())).string() : std::string();
    }
    /// An access key id is no secret, but changes together with one.
    void read_name(std::string_view name, std::string& into, std::string& file) const {
        const auto* value = from.find(name);
        if (!value || !value->is_object()) return from.read(name, into);
        storage::secret text;
        read(name, text, file);
        into = text.reveal();
    }
};

void read_path(const object_reader& from, std::string_view name, const std::filesystem::path& base,
               std::string& into) {
    from.read(name, into);
    if (!into.empty()) into = (base / into).string();
}

}  // namespace

storage::credential read_credential(const std::string& id, const object_reader& from,
                                    const std::filesystem::path& base, secrets how,
                                    std::vector<fault>& warnings) {
    from.only({"type",
               "name",
               "package",
               "username",
               "password",
               "token",
               "access_key_id",
               "secret_access_key",
               "session_token",
               "connection_string",
               "endpoint",
               "region",
               "ca_file",
               "provider",
               "profile",
               "role_arn",
               "web_identity_token_file",
               "sts_endpoint",
               "account",
               "tenant_id",
               "client_id",
               "client_secret",
               "authority_host",
               "client_certificate",
               "client_key"});
    storage::credential c;
    c.id = id;
    const secret_reader read{from, base, how, warnings};
    read.read_name("username", c.username, c.files.username);
    read.read_name("access_key_id", c.username, c.files.username);
    read.read("password", c.password, c.files.password);
    read.read("secret_access_key", c.password, c.files.password);
    read.read("session_token", c.session_token, c.files.session_token);
    read.read("token", c.token, c.files.token);
    read.read("connection_string", c.token, c.files.token);
    read.read("client_secret", c.client_secret, c.files.client_secret);
    from.read("endpoint", c.endpoint);
    from.read("region", c.region);
    read_path(from, "ca_file", base, c.ca_file);
    read_path(from, "client_certificate", base, c.client_certificate);
    read_path(from, "client_key", base, c.client_key);
    if (c.client_certificate.empty() && !c.client_key.empty())
        from.fail("client_certificate", "is required beside client_key");
    from.read("provider", c.provider);
    from.read("profile", c.profile);
    from.read("role_arn", c.role_arn);
    read_path(from, "web_identity_token_file", base, c.web_identity_token_file);
    from.read("sts_endpoint", c.sts_endpoint);
    from.read("account", c.account);
    from.read("tenant_id", c.tenant_id);
    from.read("client_id", c.client_id);
    from.read("authority_host", c.authority_host);
    const bool keys = from.find("access_key_id") || from.find("secret_access_key");
    const bool connection = from.find("connection_string");
    c.type = keys ? "user" : connection ? "token" : "";
    from.read("type", c.type);
    if (c.type != "user" && c.type != "token") {
        from.fail("type", "must be \"user\" (username and password) or \"token\"");
        return c;
    }
    for (auto& f : storage::credential_faults(c)) from.fail(f.member, std::move(f.message));
    return c;
}

}  // namespace firehose::app
