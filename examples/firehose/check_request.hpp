/// What `GET /firehose` and `POST /firehose` are asked: which credential to try, on what.
#pragma once
#include "examples/firehose/check_settings.hpp"
#include "http/message.hpp"
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"
#include "storage/credentials.hpp"
#include "storage/destination.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::app {

/// Names and values, decoded. They may be secrets.
using check_fields = std::vector<std::pair<std::string, std::string>>;

/// How values travelled: a query that was not escaped well turns '+' into blanks.
enum class check_form : std::uint8_t { query, json };

struct check_request {
    storage::destination to{};  ///< of type "s3" or "azure"
    storage::credential with{};
    std::string key{};  ///< where the verification file goes; empty: nothing is written

    bool azure() const noexcept { return to.type == "azure"; }
};

/// Pure. Takes LeadConduit's parameters (service, access_key_id, secret_access_key, connection_string,
/// bucket, prefix, flow_id, verification_file) and, for S3 elsewhere than at AWS, endpoint and region. Others
/// are passed over, and so are empty ones. The error is a sentence for whoever asked, which names parameters
/// and never repeats a value. `now` goes into the file's name. The values in `fields` are wiped.
result<check_request> read_check_request(check_fields& fields, check_form how, const check_settings& settings,
                                         time_source::wall now);

/// The members of a JSON object, strings or true and false; the error likewise.
result<check_fields> fields_of_json(std::string_view body);

/// "leadconduit_verification_<17 digits of UTC>.txt", with the flow's id before the digits if there is one.
std::string verification_file_name(std::string_view flow_id, time_source::wall now);

/// What is in it.
inline constexpr std::string_view verification_text =
    "This file shows that events can be stored here. It was written by a test of the credentials and may be "
    "deleted.\n";

/// Whether an answer in JSON is what the request asks for; without an Accept header it is not.
bool accepts_json(const http::header_list& headers);

}  // namespace firehose::app
