/// Azure's connection strings: one text that says where an account is and what opens it.
#pragma once
#include "http/url.hpp"
#include "pipeline/error.hpp"
#include "storage/credentials.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::storage {

/// What a connection string says about blobs. A SAS wins over a key, as in Azure's own libraries; both may
/// be missing (a public account), which whoever needs to write has to refuse.
struct azure_connection {
    http::endpoint_url endpoint{};
    std::string account{};    ///< empty when a SAS is used at an endpoint that does not name it
    secret key{};             ///< base64, as in the text
    secret sas{};             ///< without '?', otherwise as in the text
    bool path_style = false;  ///< the endpoint has a path, as an emulator's has, which names the account
};

/// Pure. Understands
///
///     DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net
///     BlobEndpoint=https://…;AccountName=…;AccountKey=…        an endpoint of one's own
///     BlobEndpoint=https://…;SharedAccessSignature=…           or AccountName instead of BlobEndpoint
///     UseDevelopmentStorage=true[;DevelopmentStorageProxyUri=http://host]       an emulator on this machine
///
/// in any order, names in any case, blanks and line breaks around them. Names it does not know are passed
/// over. Blanks inside AccountKey become the '+' that a query string made blanks of; a ';' inside a SAS
/// belongs to it. Errors name the keys concerned and never repeat a value.
result<azure_connection> parse_connection_string(std::string_view text);

/// The pairs of a SAS, decoded, with or without its '?'; an error when one of them has no '='. In the
/// signature, blanks are repaired like those of a key.
result<std::vector<std::pair<std::string, std::string>>> split_sas(std::string_view sas);

/// The SAS as part of a request line: encoded once and properly, whatever it was before.
result<std::string> sas_query(const secret& sas);

/// "name" of "name.blob.core.windows.net" and the national clouds' hosts; empty for other hosts.
std::string_view account_of_host(std::string_view host) noexcept;

}  // namespace firehose::storage
