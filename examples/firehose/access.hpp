/// Who may do what: tokens compared in constant time.
#pragma once
#include "examples/firehose/server_settings.hpp"
#include "http/exchange.hpp"
#include "http/router.hpp"
#include "pipeline/randomness.hpp"

#include <optional>
#include <string>
#include <vector>

namespace firehose::app {

/// The access of a route: who needs no token, and the roles.
inline constexpr const char* open_to_all = "open";
inline constexpr const char* needs_ingest = "ingest";
inline constexpr const char* needs_read = "read";
inline constexpr const char* needs_admin = "admin";
inline constexpr const char* needs_root = "root";    ///< the role read, and to be the root user's
inline constexpr const char* needs_token = "token";  ///< any

/// Tokens come as `Authorization: Bearer TOKEN`, or as the password of Basic, whose user name is ignored.
///
/// Nothing that is compared depends on how much of it is right: the hash of what was presented and the hashes
/// of the configuration go through HMAC under a key of this process, and all entries are looked at
/// always, whether the token, its form or nothing is known. Read-only once made: may be shared by shards
/// through copies.
class access_table {
public:
    /// With `everyone` no token is needed for anything.
    access_table(const std::vector<token_entry>& tokens, bool everyone, randomness& random);

    /// For server_options::access: sets head.user, or says 401 or 403.
    std::optional<http::refusal> check(http::request_head& head, const http::route& to);

private:
    struct entry {
        std::string name;
        http::sha256_value proof;
        role_set roles;
    };
    static bool allows(const role_set& roles, const std::string& access);

    std::vector<std::byte> key_;
    std::vector<entry> entries_;
    bool everyone_;
};

/// The token a request presents; nothing when there is none or its form is unknown.
std::optional<std::string> presented_token(const http::header_list& headers);

}  // namespace firehose::app
