/// An S3 server's refusal in words that a person can act on.
#pragma once
#include <string>
#include <string_view>

namespace firehose::storage {

/// What was asked for and by whom, as far as a person needs it to act.
struct s3_subject {
    std::string_view action{};  ///< "s3:PutObject"
    std::string_view bucket{};
    std::string_view access_key_id{};
    std::string_view endpoint{};  ///< "https://s3.eu-west-1.amazonaws.com"
    std::string_view region{};
};

/// What a person can do about it, or what is being done, without a full stop; empty when there is nothing to
/// add to what the server says.
std::string s3_advice(std::string_view code, int status, const s3_subject& about);

/// The permission that a request needs; `target` as on the request line, `base` what comes before "/key".
std::string_view s3_action(std::string_view method, std::string_view target, std::string_view base) noexcept;

}  // namespace firehose::storage
