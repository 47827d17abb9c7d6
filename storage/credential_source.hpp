/// What requests are signed with at the moment, and who sees to it that it is never out of date.
#pragma once
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"
#include "storage/credentials.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace firehose::storage {

/// Of one cloud, as far as it needs it.
struct credential_value {
    std::string access_key_id{};                 ///< AWS
    secret secret_access_key{};                  ///< AWS
    secret session_token{};                      ///< AWS; empty for long-lived keys
    secret account_key{};                        ///< Azure, base64
    secret sas{};                                ///< Azure, as sas_query() makes it
    secret bearer{};                             ///< Azure, an OAuth 2.0 access token
    std::optional<time_source::wall> expires{};  ///< nothing: never, as far as anybody knows
};

/// Immutable, so that a request may hold on to the one it was signed with.
using credential_ptr = std::shared_ptr<const credential_value>;

/// The seam between those who sign and those who fetch keys. A sender calls ready() before a request when
/// due() says so, its signer takes current(), and when the server calls the value expired or unknown, the
/// sender calls renew() with the one it had used and, if that says so, sends again. Single shard.
class credential_source {
public:
    virtual ~credential_source() = default;
    /// No I/O. Null until ready() has succeeded once.
    virtual credential_ptr current() const noexcept = 0;
    /// True when ready() has anything to do.
    virtual bool due() const = 0;
    /// Success: current() can be signed with. May be cancelled; whoever waits for the same goes on.
    virtual task<result<>> ready(time_source::steady deadline) = 0;
    /// `refused` is no good. True: current() is another value, worth another try.
    virtual task<bool> renew(credential_ptr refused, time_source::steady deadline) = 0;
    /// How long current() lasts; nothing when it does not expire or was not fetched yet. Negative: too late.
    virtual std::optional<std::chrono::seconds> expires_in() const = 0;
    /// Where the value comes from, for people: "the metadata of the instance".
    virtual std::string describe() const = 0;
};

/// A value that nobody renews.
std::shared_ptr<credential_source> fixed_credential(credential_value value, std::string described);

/// What a credential's own members say: keys of type "user"; the key or the SAS of a connection string.
result<credential_value> value_of(const credential& with);

/// The same keys, whenever they expire.
bool same_keys(const credential_value& a, const credential_value& b) noexcept;

}  // namespace firehose::storage
