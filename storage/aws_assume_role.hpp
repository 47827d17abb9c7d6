/// Keys of a role for keys that may assume it: AssumeRole of STS.
#pragma once
#include "storage/credential_provider.hpp"

#include <chrono>
#include <string>

namespace firehose::storage {

struct assumed_role {
    std::string role_arn{};
    std::string session_name{};        ///< empty: "firehose"
    std::string external_id{};         ///< what the role's owner asks of us; may be empty
    std::string region{};              ///< of STS, and of the signature
    std::chrono::seconds duration{0};  ///< 900 to 43,200; 0: as STS does without it, an hour
};

/// Asks STS, signing with `by`. May be cancelled.
task<result<credential_value>> assume_role(provider_parts parts, credential_value by, assumed_role what,
                                           time_source::steady deadline);

}  // namespace firehose::storage
