/// What a refusal of Azure Blob Storage means: a pure function, one row per answer.
#pragma once
#include "pipeline/error.hpp"
#include "storage/provider_answer.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage {

/// What may turn the refusal into success without anybody's help, before the disposition counts.
enum class azure_remedy : std::uint8_t {
    none,
    adjust_clock,         ///< if the clocks differ: learn the server's time, sign again once; else as below
    refresh_credentials,  ///< the key, the SAS or the token may have been replaced
};

struct azure_verdict {
    disposition what = disposition::retry;
    azure_remedy remedy = azure_remedy::none;

    friend bool operator==(const azure_verdict&, const azure_verdict&) = default;
};

/// The status is 300 or above, or belongs to an answer that was found to be no success. `code` is the
/// x-ms-error-code header or the text of <Code>, empty when there was neither.
azure_verdict judge_azure(int status, std::string_view code) noexcept;

/// True for the refusals of a conditional put that mean "there is one already".
bool says_already_there(int status, std::string_view code) noexcept;

enum class azure_access : std::uint8_t { key, sas, token };

/// Whom and what a refusal is about, for advice.
struct azure_subject {
    std::string_view method{};
    std::string_view account{};
    std::string_view container{};
    azure_access by = azure_access::key;
};

/// The codes that have a verdict and advice of their own.
std::vector<std::string_view> azure_codes();

/// What a person can do about it, or what is done anyway, without a full stop; empty when there is nothing to
/// add.
std::string azure_advice(std::string_view code, int status, const azure_subject& about);

}  // namespace firehose::storage
