/// The bearer token that a stream is pulled with: fixed, from a file, or renewed by OAuth 2.0.
#pragma once
#include "http/url.hpp"
#include "storage/credential_provider.hpp"
#include "storage/file_system.hpp"
#include "storage/refreshed_credential.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace firehose::stages {

/// The refresh token grant, RFC 6749 section 6.
struct oauth_client {
    http::authority to{};
    std::string target = "/oauth2/token";
    std::string client_id{};
    storage::secret client_secret{};  ///< empty: a public client
    storage::secret refresh_token{};
};

/// Exactly one of the three is set.
struct pull_credential {
    storage::secret token{};
    std::string token_file{};  ///< read anew every half minute, and when the server refuses what it held
    std::optional<oauth_client> oauth{};
};

/// Tokens of the refresh token grant, each time anew. A server may answer with another refresh token, after
/// which the old one is no good: it is kept in `<directory>/refresh_token`, readable by nobody else, and used
/// as long as the configured one stays what it was. Should the answer that brings it be lost, with the
/// process or the connection, the configured one must be replaced by a person.
class refreshed_token final : public storage::credential_provider {
public:
    refreshed_token(storage::provider_parts parts, storage::file_system& fs,
                    const std::filesystem::path& directory, oauth_client who);
    std::string describe() const override;
    task<result<storage::credential_value>> fetch(time_source::steady deadline) override;

private:
    task<> recall();
    task<result<>> keep(storage::secret replaced);

    storage::provider_parts parts_;
    storage::file_system& fs_;
    std::filesystem::path file_;
    oauth_client who_;
    storage::secret current_{};
    bool file_is_old_ = false;  ///< the last write failed
};

/// What a token endpoint answered: pure.
struct token_answer {
    storage::credential_value value{};  ///< without `expires` when the answer does not say
    storage::secret refresh_token{};    ///< empty: the old one stays
};
result<token_answer> parse_token_answer(std::string_view body, time_source::wall now);

/// Whether it can stand in a header: not empty, visible ASCII only.
bool is_bearer_token(std::string_view text) noexcept;

/// One for each source. What `parts` and `fs` refer to outlives it.
std::shared_ptr<storage::credential_source>
make_pull_token(const pull_credential& with, const storage::provider_parts& parts, storage::file_system& fs,
                const std::filesystem::path& directory, const std::string& name);

}  // namespace firehose::stages
