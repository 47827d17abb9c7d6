/// What an S3 server's refusal means: a pure function, one row per answer.
#pragma once
#include "pipeline/error.hpp"
#include "storage/provider_answer.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace firehose::storage {

/// What may turn the refusal into success without anybody's help, before the disposition counts.
enum class s3_remedy : std::uint8_t {
    none,
    adjust_clock,         ///< learn the server's time, sign again once
    other_region,         ///< sign again for the region named in the answer
    refresh_credentials,  ///< the session token has expired, or the keys were replaced
};

struct s3_verdict {
    disposition what = disposition::retry;
    s3_remedy remedy = s3_remedy::none;

    friend bool operator==(const s3_verdict&, const s3_verdict&) = default;
};

/// The status is 300 or above, or belongs to an answer that was found to be no success. `code` is the
/// text of <Code>, empty when there was none: HEAD has no body, proxies speak HTML.
s3_verdict judge_s3(int status, std::string_view code) noexcept;

}  // namespace firehose::storage
