#include "storage/aws_profile.hpp"

#include "storage/aws_keys.hpp"
#include "storage/aws_web_identity.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <utility>

namespace firehose::storage {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// A comment after a value begins with a blank, since secrets may hold '#'.
std::string_view without_comment(std::string_view line) {
    for (std::size_t at = 1; at < line.size(); ++at)
        if ((line[at] == '#' || line[at] == ';') && blanks.find(line[at - 1]) != std::string_view::npos)
            return line.substr(0, at);
    return line;
}

/// The profile that a section's heading begins; empty for sections of other kinds.
std::string profile_of(std::string_view heading, profile_file kind) {
    auto name = trimmed(heading);
    if (kind == profile_file::credentials || name == "default") return std::string(name);
    constexpr std::string_view word = "profile";
    if (!name.starts_with(word)) return {};
    const auto rest = name.substr(word.size());
    const bool apart = !rest.empty() && blanks.find(rest.front()) != std::string_view::npos;
    name = trimmed(rest);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    return apart ? std::string(name) : std::string();
}

std::string setting(const profile_map& from, const std::string& profile, std::string_view name) {
    const auto found = from.find(profile);
    if (found == from.end()) return {};
    const auto value = found->second.find(name);
    return value == found->second.end() ? std::string() : value->second;
}

}  // namespace

profile_map parse_profiles(std::string_view text, profile_file kind) {
    profile_map out;
    std::string profile;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        auto line = text.substr(at, end - at);
        at = end + 1;
        const bool indented = !line.empty() && blanks.find(line.front()) != std::string_view::npos;
        line = trimmed(line);
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        if (line.front() == '[') {
            profile = profile_of(line.substr(1, std::min(line.find(']'), line.size()) - 1), kind);
            if (!profile.empty()) out[profile];
            continue;
        }
        const auto equals = line.find('=');
        if (indented || profile.empty() || equals == std::string_view::npos) continue;
        const auto value = trimmed(without_comment(line.substr(equals + 1)));
        out[profile].insert_or_assign(lower(trimmed(line.substr(0, equals))), std::string(value));
    }
    return out;
}

std::string aws_profile::name() const {
    if (!name_.empty()) return name_;
    const auto chosen = parts_.variable("AWS_PROFILE");
    return chosen.empty() ? "default" : chosen;
}

std::string aws_profile::describe() const { return "AWS profile " + name(); }

task<result<profile_map>> aws_profile::read(std::string variable, std::string below_home, profile_file kind) {
    auto path = parts_.variable(variable);
    if (path.empty()) {
        const auto home = parts_.variable("HOME");
        if (home.empty()) co_return profile_map();
        path = home + below_home;
    }
    auto text = co_await read_secret_file(parts_, std::move(path));
    if (text.has_value()) {
        auto profiles = parse_profiles(*text, kind);
        wipe(*text);
        co_return profiles;
    }
    const bool absent = text.error().code() == boost::system::errc::no_such_file_or_directory;
    if (absent) co_return profile_map();
    co_return text.error();
}

task<result<credential_value>> aws_profile::fetch(time_source::steady deadline) {
    auto keys = co_await read("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials", profile_file::credentials);
    if (!keys.has_value()) co_return keys.error();
    auto config = co_await read("AWS_CONFIG_FILE", "/.aws/config", profile_file::config);
    if (!config.has_value()) co_return config.error();
    const auto profile = name();
    const auto wrong = [&profile](const std::string& why) {
        return error(disposition::stop, "profile " + profile + " " + why);
    };
    if (!keys->contains(profile) && !config->contains(profile)) {
        const bool asked_for = !name_.empty() || !parts_.variable("AWS_PROFILE").empty();
        if (asked_for) co_return wrong("is in neither of AWS's two files");
        co_return no_credentials_there("there is no profile " + profile);
    }

    const auto role = setting(*config, profile, "role_arn");
    if (!role.empty()) {
        web_identity how;
        how.role_arn = role;
        how.token_file = setting(*config, profile, "web_identity_token_file");
        how.session_name = setting(*config, profile, "role_session_name");
        how.region = region_.empty() ? setting(*config, profile, "region") : region_;
        if (how.token_file.empty())
            co_return wrong("assumes a role by source_profile or credential_source, which is not supported; "
                            "supported are keys, and role_arn with web_identity_token_file");
        aws_web_identity by_token(parts_, how);
        auto value = co_await by_token.fetch(deadline);
        co_return value;
    }
    for (const auto* from : {&*keys, &*config}) {
        credential_value value;
        value.access_key_id = setting(*from, profile, "aws_access_key_id");
        if (value.access_key_id.empty()) continue;
        value.secret_access_key = secret(setting(*from, profile, "aws_secret_access_key"));
        value.session_token = secret(setting(*from, profile, "aws_session_token"));
        const auto problem = aws_keys_problem(value);
        if (!problem.empty()) co_return wrong("is not whole: " + problem);
        co_return value;
    }
    for (const auto* needs_help : {"credential_process", "sso_session", "sso_start_url"})
        if (!setting(*config, profile, needs_help).empty())
            co_return wrong("uses " + std::string(needs_help) +
                            ", which is not supported: no programs are run and nobody is there to log in");
    co_return no_credentials_there("profile " + profile + " holds no keys");
}

}  // namespace firehose::storage
