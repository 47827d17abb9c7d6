/// What a blob carries besides its bytes: metadata, tags, tier, checksums.
#pragma once
#include "http/message.hpp"
#include "storage/destination_settings.hpp"
#include "storage/store.hpp"

#include <string_view>

namespace firehose::storage {

/// Azure's names are identifiers, and their order in a signature is not the same everywhere: kept are names
/// of letters and digits that begin with a letter, in lower case.
bool keeps_metadata_name(std::string_view name) noexcept;

/// x-ms-blob-content-encoding, x-ms-access-tier, x-ms-meta-… and x-ms-tags, of a request that creates a blob.
/// Where the settings and the options name the same, the options win; names that cannot be kept are left out.
void add_labels(http::header_list& headers, const destination_settings& given, const put_options& how);

/// Content-MD5, or x-ms-content-crc64 where the settings choose it: Azure takes one of them, not both.
void add_checksum(http::header_list& headers, const destination_settings& given, const payload& body);

}  // namespace firehose::storage
