#include "examples/firehose/config_changes.hpp"

#include "examples/firehose/config_reader.hpp"
#include "examples/firehose/secret_names.hpp"
#include "pipeline/bytes.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace firehose::app {
namespace json = boost::json;
namespace {

constexpr std::string_view absent = "(absent)";
constexpr std::string_view hidden = "(secret)";

bool is_below(std::string_view pointer, std::string_view place) {
    return pointer.starts_with(place) && (pointer.size() == place.size() || pointer[place.size()] == '/');
}

/// A value for the log. What looks like an address may hold a password or a signature.
std::string shown(const json::value* value) {
    if (!value) return std::string(absent);
    if (value->is_string()) {
        const std::string_view text = value->get_string();
        const bool address = text.find("://") != std::string_view::npos;
        if (address && text.find_first_of("@?") != std::string_view::npos) return "(not shown)";
    }
    if (value->is_array()) return std::to_string(value->get_array().size()) + " entries";
    if (value->is_object()) return std::to_string(value->get_object().size()) + " members";
    auto text = json::serialize(*value);
    constexpr std::size_t enough = 200;
    if (text.size() > enough) text = text.substr(0, whole_characters(text, enough)) + "…";
    return text;
}

class comparison {
public:
    explicit comparison(std::vector<setting_change>& out) : out_(out) {}

    void compare(const std::string& pointer, const json::value* a, const json::value* b, bool secret) {
        if (a && b && *a == *b) return;
        const bool objects = a && b && a->is_object() && b->is_object();
        const bool made_or_gone = (!a && b->is_object()) || (!b && a->is_object());
        if (objects || made_or_gone)
            compare_members(pointer, a ? &a->get_object() : nullptr, b ? &b->get_object() : nullptr, secret);
        else if (a && b && a->is_array() && b->is_array() && a->get_array().size() == b->get_array().size())
            for (std::size_t i = 0; i < a->get_array().size(); ++i)
                compare(pointer + "/" + std::to_string(i), &a->get_array()[i], &b->get_array()[i], secret);
        else
            note(pointer, a, b, secret);
    }

private:
    void compare_members(const std::string& pointer, const json::object* a, const json::object* b,
                         bool secret) {
        std::set<std::string> names;
        for (const auto* side : {a, b})
            if (side)
                for (const auto& [key, value] : *side) names.emplace(std::string_view(key));
        if (names.empty())
            out_.push_back({pointer, a ? "{}" : std::string(absent), b ? "{}" : std::string(absent)});
        for (const auto& name : names)
            compare(pointer + "/" + escape_pointer(name), a ? a->if_contains(name) : nullptr,
                    b ? b->if_contains(name) : nullptr, secret || names_a_secret(name) || name == "sha256");
    }

    void note(const std::string& pointer, const json::value* a, const json::value* b, bool secret) {
        const auto text = [secret](const json::value* v) {
            return v && secret ? std::string(hidden) : shown(v);
        };
        out_.push_back({pointer, text(a), text(b)});
    }

    std::vector<setting_change>& out_;
};

bool needs_restart(const std::string& pointer) {
    constexpr std::array<std::string_view, 5> taken_at_once{"/flows", "/default", "/credentials",
                                                            "/server/tokens", "/server/tls"};
    return std::ranges::none_of(taken_at_once,
                                [&](std::string_view place) { return is_below(pointer, place); });
}

bool is_listed(const std::vector<setting_change>& among, const std::string& place) {
    return std::ranges::any_of(among, [&](const auto& c) { return is_below(c.pointer, place); });
}

/// The other name of a member whose value may come from a file or variable; null for all others, which
/// stand in the document itself.
const char* second_name(std::string_view member) {
    if (member == "username") return "access_key_id";
    if (member == "password") return "secret_access_key";
    if (member == "token") return "connection_string";
    if (member == "session_token") return "session_token";
    return member == "client_secret" ? "client_secret" : nullptr;
}

}  // namespace

std::vector<std::string> changed_members(const storage::credential& a, const storage::credential& b) {
    using storage::credential;
    std::vector<std::string> out;
    constexpr std::array<std::pair<const char*, std::string credential::*>, 15> plain{{
        {"type", &credential::type},
        {"username", &credential::username},
        {"endpoint", &credential::endpoint},
        {"region", &credential::region},
        {"ca_file", &credential::ca_file},
        {"client_certificate", &credential::client_certificate},
        {"client_key", &credential::client_key},
        {"provider", &credential::provider},
        {"profile", &credential::profile},
        {"role_arn", &credential::role_arn},
        {"web_identity_token_file", &credential::web_identity_token_file},
        {"sts_endpoint", &credential::sts_endpoint},
        {"account", &credential::account},
        {"tenant_id", &credential::tenant_id},
        {"client_id", &credential::client_id},
    }};
    constexpr std::array<std::pair<const char*, storage::secret credential::*>, 4> secret{{
        {"password", &credential::password},
        {"session_token", &credential::session_token},
        {"token", &credential::token},
        {"client_secret", &credential::client_secret},
    }};
    for (const auto& [name, member] : plain)
        if (a.*member != b.*member) out.emplace_back(name);
    if (a.authority_host != b.authority_host) out.emplace_back("authority_host");
    for (const auto& [name, member] : secret)
        if (!storage::equal(a.*member, b.*member)) out.emplace_back(name);
    const auto files = [](const credential& c) {
        return std::array{c.files.username, c.files.password, c.files.session_token, c.files.token,
                          c.files.client_secret};
    };
    if (files(a) != files(b)) out.emplace_back("files");
    return out;
}

std::vector<setting_change> differences(const configuration& before, const configuration& after) {
    std::vector<setting_change> out;
    comparison(out).compare("", before.document.get(), after.document.get(), false);
    for (const auto& [id, was] : before.credentials) {
        const auto is = after.credentials.find(id);
        const auto place = "/credentials/" + id;
        if (is == after.credentials.end()) continue;
        for (const auto& member : changed_members(was, is->second)) {
            const auto* other_name = second_name(member);
            if (other_name == nullptr || is_listed(out, place + "/" + member) ||
                is_listed(out, place + "/" + other_name))
                continue;
            out.push_back({place + "/" + member, std::string(hidden), std::string(hidden)});
        }
    }
    const bool both = !before.keys.empty() && !after.keys.empty();
    const std::string key = "/server/credentials_key";
    if (both && before.keys.current_id() != after.keys.current_id() && !is_listed(out, key))
        out.push_back({key, std::string(hidden), std::string(hidden)});
    for (auto& change : out) change.needs_restart = needs_restart(change.pointer);
    // To let everybody in, or nobody, or to speak another protocol, is not for a running server.
    const bool tokens = before.server.tokens.empty() != after.server.tokens.empty();
    const bool tls = before.server.tls.has_value() != after.server.tls.has_value();
    for (auto& change : out)
        if ((tokens && is_below(change.pointer, "/server/tokens")) ||
            (tls && is_below(change.pointer, "/server/tls")))
            change.needs_restart = true;
    return out;
}

}  // namespace firehose::app
