/// What Azure finds wrong with a request before it looks for the blob: who, when, and whether the bytes are
/// whole.
#pragma once
#include "tests/fakes/fake_azure.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace firehose::fakes {

struct azure_refusal {
    int status = 0;
    std::string code{};
    std::string message{};
};

struct azure_access {
    std::string_view account{};
    std::string_view key_base64{};
    const std::set<std::string, std::less<>>& bearer_tokens;
};

/// SharedKey, SAS or bearer token; nothing: it is good. `now` is the server's clock.
std::optional<azure_refusal> check_azure_access(const fake_request& r, const azure_access& with,
                                                time_source::wall now);

/// The version's header, and the body against every checksum that came with it.
std::optional<azure_refusal> check_azure_body(const fake_request& r);

}  // namespace firehose::fakes
