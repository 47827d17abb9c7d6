/// The checksums that S3 and Azure compute over a body, in their headers' spellings.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace firehose::fakes {

/// By a header's name, "x-amz-checksum-crc32c" and its like; nothing for other headers.
std::optional<std::string> s3_checksum(std::string_view header_name, std::string_view body);

/// The value of x-ms-content-crc64.
std::string azure_crc64(std::string_view body);

/// The value of Content-MD5.
std::string md5_base64(std::string_view body);
/// As S3's ETag has it.
std::string md5_hex(std::string_view body);

}  // namespace firehose::fakes
