/// The headers of an object as S3 wants them: checksums, encryption, class, labels. Pure.
#pragma once
#include "http/message.hpp"
#include "pipeline/error.hpp"
#include "storage/destination_settings.hpp"
#include "storage/store.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

/// How bodies are guarded at one place.
struct s3_body_guard {
    checksum_choice checksum = checksum_choice::when_required;  ///< never automatic
    bool unsigned_payload = false;                              ///< only over TLS and beside a checksum

    bool has_checksum() const noexcept { return checksum != checksum_choice::when_required; }
};

/// `own_endpoint`: configured, so perhaps a look-alike.
s3_body_guard choose_guard(const destination_settings& given, bool own_endpoint, bool tls) noexcept;

/// "CRC32C", as in x-amz-checksum-algorithm; empty for when_required.
std::string_view checksum_name(checksum_choice which) noexcept;

/// The base64 of x-amz-checksum-…; empty for when_required.
std::string checksum_text(checksum_choice which, const payload& body);

/// Sets x-amz-content-sha256 and the checksum's headers for req.body; returns checksum_text() of it.
std::string guard_body(http::request& req, const s3_body_guard& how);

/// What a PUT, or the start of an upload in parts, says about the object beside its bytes. Metadata and tags
/// of the put replace those of the same name in the settings. Park: labels that cannot be sent.
result<http::header_list> object_headers(const destination_settings& given, const put_options& how);

}  // namespace firehose::storage
