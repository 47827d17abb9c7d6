/// TLS contexts: version 1.2 and up, the server always verified, the client where it can be.
#pragma once
#include "http/url.hpp"
#include "pipeline/error.hpp"

#include <boost/asio/ssl/context.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace firehose::http {

/// One context per file of roots and client certificate, made on first use and kept; references stay valid
/// as long as this object. The system's roots are those of OpenSSL. A key that is locked by a passphrase is
/// an error, nobody is asked. Single shard.
class tls_contexts {
public:
    result<boost::asio::ssl::context*> get(const authority& to);

private:
    using files = std::tuple<std::string, std::string, std::string>;
    std::map<files, boost::asio::ssl::context> made_;
};

/// Prepares one connection: the name to ask for (SNI) and the name or address to insist on.
error_code expect_host(SSL* connection, const std::string& host);

/// When `ec` is the server's alert about the certificate we showed, or did not: what to do about it. TLS 1.3
/// says so after the handshake, when the first answer is read.
std::optional<error> refused_client_certificate(std::string_view name, const error_code& ec);

}  // namespace firehose::http
