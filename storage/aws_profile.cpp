#include "storage/aws_profile.hpp"

#include "pipeline/text.hpp"
#include "storage/aws_assume_role.hpp"
#include "storage/aws_container.hpp"
#include "storage/aws_instance.hpp"
#include "storage/aws_keys.hpp"
#include "storage/aws_web_identity.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace firehose::storage {

namespace {

/// A comment after a value begins with a blank, since secrets may hold '#'.
std::string_view without_comment(std::string_view line) {
    for (std::size_t at = 1; at < line.size(); ++at)
        if ((line[at] == '#' || line[at] == ';') && blanks.find(line[at - 1]) != std::string_view::npos)
            return line.substr(0, at);
    return line;
}

/// The profile that a section's heading begins; empty for sections of other kinds.
std::string profile_of(std::string_view heading, profile_file kind) {
    auto name = trim(heading);
    if (kind == profile_file::credentials || name == "default") return std::string(name);
    constexpr std::string_view word = "profile";
    if (!name.starts_with(word)) return {};
    const auto rest = name.substr(word.size());
    const bool apart = !rest.empty() && blanks.find(rest.front()) != std::string_view::npos;
    name = trim(rest);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    return apart ? std::string(name) : std::string();
}

std::string setting_in(const profile_map& from, const std::string& profile, std::string_view name) {
    const auto found = from.find(profile);
    if (found == from.end()) return {};
    const auto value = found->second.find(name);
    return value == found->second.end() ? std::string() : value->second;
}

constexpr unsigned most_roles = 8;

error wrong(const std::string& profile, const std::string& why) {
    return {disposition::stop, "profile " + profile + " " + why};
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
        line = trim(line);
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        if (line.front() == '[') {
            profile = profile_of(line.substr(1, std::min(line.find(']'), line.size()) - 1), kind);
            if (!profile.empty()) out[profile];
            continue;
        }
        const auto equals = line.find('=');
        if (indented || profile.empty() || equals == std::string_view::npos) continue;
        const auto value = trim(without_comment(line.substr(equals + 1)));
        out[profile].insert_or_assign(to_lower(trim(line.substr(0, equals))), std::string(value));
    }
    return out;
}

bool profile_files::has(const std::string& profile) const {
    return keys.contains(profile) || config.contains(profile);
}

std::string profile_files::setting(const std::string& profile, std::string_view name) const {
    auto value = setting_in(keys, profile, name);
    return value.empty() ? setting_in(config, profile, name) : value;
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
    const profile_files files{std::move(*keys), std::move(*config)};
    const auto profile = name();
    const bool asked_for = !name_.empty() || !parts_.variable("AWS_PROFILE").empty();
    if (!files.has(profile) && !asked_for) co_return no_credentials_there("there is no profile " + profile);
    co_return co_await keys_of(files, profile, 0, deadline);
}

/// `roles`: how many are assumed with what comes of this.
task<result<credential_value>> aws_profile::keys_of(const profile_files& of, std::string profile,
                                                    unsigned roles, time_source::steady deadline) {
    if (!of.has(profile)) co_return wrong(profile, "is in neither of AWS's two files");
    const bool lends = roles > 0;
    const bool has_keys = !of.setting(profile, "aws_access_key_id").empty();
    const bool has_role = !of.setting(profile, "role_arn").empty();
    if (has_role && !(lends && has_keys)) co_return co_await role_of(of, profile, roles, deadline);
    for (const auto* from : {&of.keys, &of.config}) {
        credential_value value;
        value.access_key_id = setting_in(*from, profile, "aws_access_key_id");
        if (value.access_key_id.empty()) continue;
        value.secret_access_key = secret(setting_in(*from, profile, "aws_secret_access_key"));
        value.session_token = secret(setting_in(*from, profile, "aws_session_token"));
        const auto problem = aws_keys_problem(value);
        if (!problem.empty()) co_return wrong(profile, "is not whole: " + problem);
        co_return value;
    }
    for (const auto* needs_help : {"credential_process", "sso_session", "sso_start_url"})
        if (!of.setting(profile, needs_help).empty())
            co_return wrong(
                profile, "uses " + std::string(needs_help) +
                             ", which is not supported: no programs are run and nobody is there to log in");
    if (lends) co_return wrong(profile, "holds no keys, and another profile names it as its source");
    co_return no_credentials_there("profile " + profile + " holds no keys");
}

task<result<credential_value>> aws_profile::role_of(const profile_files& of, std::string profile,
                                                    unsigned roles, time_source::steady deadline) {
    if (roles >= most_roles)
        co_return wrong(profile, "is the last of " + std::to_string(roles) +
                                     " that assume a role with another one's: they go round in a circle, or "
                                     "are too many");
    const auto region = region_.empty() ? of.setting(profile, "region") : region_;
    const auto token_file = of.setting(profile, "web_identity_token_file");
    if (!token_file.empty()) {
        web_identity how;
        how.role_arn = of.setting(profile, "role_arn");
        how.token_file = token_file;
        how.session_name = of.setting(profile, "role_session_name");
        how.region = region;
        aws_web_identity by_token(parts_, how);
        auto value = co_await by_token.fetch(deadline);
        co_return value;
    }
    if (!of.setting(profile, "mfa_serial").empty())
        co_return wrong(profile, "needs a code of a device (mfa_serial), and nobody is there to enter it");
    assumed_role role;
    role.role_arn = of.setting(profile, "role_arn");
    role.session_name = of.setting(profile, "role_session_name");
    role.external_id = of.setting(profile, "external_id");
    role.region = aws_region(parts_, region);
    const auto duration = of.setting(profile, "duration_seconds");
    if (!duration.empty()) {
        unsigned seconds = 0;
        const auto* end = duration.data() + duration.size();
        const auto read = std::from_chars(duration.data(), end, seconds);
        if (read.ptr != end || seconds < 900 || seconds > 43'200)
            co_return wrong(profile, "asks for duration_seconds that are not 900 to 43200");
        role.duration = std::chrono::seconds(seconds);
    }
    auto with = co_await lenders_keys(of, profile, roles, deadline);
    if (!with.has_value()) co_return with.error();
    co_return co_await assume_role(parts_, std::move(*with), role, deadline);
}

/// The keys that a profile's role is assumed with.
task<result<credential_value>> aws_profile::lenders_keys(const profile_files& of, std::string profile,
                                                         unsigned roles, time_source::steady deadline) {
    const auto lender = of.setting(profile, "source_profile");
    const auto place = of.setting(profile, "credential_source");
    if (lender.empty() == place.empty())
        co_return wrong(profile, lender.empty()
                                     ? "assumes a role and names nothing to do it with: source_profile, "
                                       "credential_source or web_identity_token_file"
                                     : "names both source_profile and credential_source");
    if (!lender.empty()) co_return co_await keys_of(of, lender, roles + 1, deadline);
    std::unique_ptr<credential_provider> from;
    if (place == "Environment") from = std::make_unique<aws_environment>(parts_);
    if (place == "Ec2InstanceMetadata") from = std::make_unique<aws_instance>(parts_);
    if (place == "EcsContainer") from = std::make_unique<aws_container>(parts_);
    if (!from)
        co_return wrong(profile, "has a credential_source that is not Environment, Ec2InstanceMetadata or "
                                 "EcsContainer");
    auto keys = co_await from->fetch(deadline);
    if (keys.has_value() || !is_not_configured(keys.error())) co_return keys;
    co_return wrong(profile, "takes its keys from " + from->describe() + ": " + keys.error().context());
}

}  // namespace firehose::storage
