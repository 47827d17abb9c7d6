/// Keys from the files that AWS's command line keeps: ~/.aws/credentials and ~/.aws/config.
#pragma once
#include "storage/credential_provider.hpp"

#include <map>
#include <string>
#include <string_view>

namespace firehose::storage {

/// Settings by name, lower case, of the profiles by name.
using profile_map = std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>>;

enum class profile_file : std::uint8_t {
    credentials,  ///< [name]
    config        ///< [default] and [profile name]; other sections are passed over
};

/// Comments are lines that begin with # or ;, and what follows a blank and one of them. Lines that are
/// indented belong to a nested setting and are passed over. Pure; what it does not understand it passes over,
/// as AWS's own tools do.
profile_map parse_profiles(std::string_view text, profile_file kind);

/// What the two files say, by profile; where both name a setting, that of the credentials file counts.
struct profile_files {
    profile_map keys{};    ///< ~/.aws/credentials
    profile_map config{};  ///< ~/.aws/config

    bool has(const std::string& profile) const;
    /// Empty when it is in neither.
    std::string setting(const std::string& profile, std::string_view name) const;
};

/// The files of AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, or of $HOME/.aws; both are read anew each
/// time, and every half minute, so that keys that change on disk are picked up. A profile has keys
/// (aws_access_key_id, aws_secret_access_key, aws_session_token), or role_arn and one of
/// - web_identity_token_file;
/// - source_profile, which may assume a role itself, unless it has keys; up to eight roles in a row;
/// - credential_source: Environment, Ec2InstanceMetadata or EcsContainer;
/// beside them role_session_name, external_id, duration_seconds and region. What needs a program or a person
/// is refused by name: credential_process, which is not run, sso_session, sso_start_url and mfa_serial.
/// "Assume role credential provider" of AWS's SDK reference guide.
class aws_profile final : public credential_provider {
public:
    /// `name` empty: AWS_PROFILE, or "default".
    aws_profile(provider_parts parts, std::string name, std::string region)
        : parts_(std::move(parts)), name_(std::move(name)), region_(std::move(region)) {}
    std::string describe() const override;
    task<result<credential_value>> fetch(time_source::steady deadline) override;
    std::chrono::seconds believe() const override { return file_belief; }

private:
    std::string name() const;
    task<result<credential_value>> keys_of(const profile_files& of, std::string profile, unsigned roles,
                                           time_source::steady deadline);
    task<result<credential_value>> role_of(const profile_files& of, std::string profile, unsigned roles,
                                           time_source::steady deadline);
    task<result<credential_value>> lenders_keys(const profile_files& of, std::string profile, unsigned roles,
                                                time_source::steady deadline);
    task<result<profile_map>> read(std::string variable, std::string below_home, profile_file kind);

    provider_parts parts_;
    std::string name_;
    std::string region_;
};

}  // namespace firehose::storage
