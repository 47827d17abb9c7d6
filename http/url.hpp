/// Where a request goes, and the one table by which paths and queries are percent-encoded.
#pragma once
#include "pipeline/error.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace firehose::http {

/// Connections are shared among requests with an equal authority and never beyond it, so whatever
/// decides whom we trust belongs in here.
struct authority {
    bool tls = true;
    std::string host{};  ///< a name or a numeric address, IPv6 without brackets
    std::uint16_t port = 443;
    std::string ca_file{};  ///< PEM file to trust instead of the system's roots; empty: the system's
    std::string client_certificate{};  ///< PEM file with the chain to show when asked; empty: none
    std::string client_key{};          ///< PEM file with its key; empty: in the certificate's file

    friend auto operator<=>(const authority&, const authority&) = default;
};

/// The value of the Host header: the port only when it is not the scheme's own.
std::string host_header(const authority& to);

/// "https://host:port", for people.
std::string describe(const authority& to);

struct endpoint_url {
    authority to{};
    std::string path{};  ///< still encoded; without a trailing slash, so "" for the root
};

/// Takes http:// and https:// with host, port and path. Refuses user names, queries and fragments,
/// which an endpoint has no use for and which may be secrets; the error does not repeat the text.
result<endpoint_url> parse_endpoint(std::string_view text);

/// RFC 3986 unreserved characters stay, all else becomes %XX in upper case; a path keeps its slashes.
std::string encode_path(std::string_view raw);
std::string encode_query(std::string_view raw);

/// The bytes behind %XX; a malformed escape stays as it is, and so does '+'.
std::string decode_percent(std::string_view encoded);

}  // namespace firehose::http
