/// One question to STS, AWS's service that hands out keys for a role.
#pragma once
#include "storage/unsigned_call.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

/// The <Credentials> of an answer to any of the AssumeRole actions. Pure.
result<credential_value> parse_sts_answer(std::string_view body);

/// What STS's refusals mean: a token that has expired and an identity provider that did not answer are worth
/// another try, the token being read anew; other refusals need a person.
error sts_refusal(const http::response& r);

/// "https://sts.eu-central-1.amazonaws.com", or under the domain of the region's partition.
std::string sts_endpoint(std::string_view region);

/// Where STS is: `configured`, else AWS_ENDPOINT_URL_STS, else the region's own. https, or this machine.
result<http::endpoint_url> find_sts(const provider_parts& parts, const std::string& configured,
                                    const std::string& region);

/// POST of a form to it, without the body and what signs it.
unsigned_call sts_call(const http::endpoint_url& at);

}  // namespace firehose::storage
