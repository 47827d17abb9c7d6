/// TLS contexts: version 1.2 and up, the server always verified.
#pragma once
#include "pipeline/error.hpp"

#include <boost/asio/ssl/context.hpp>

#include <map>
#include <string>

namespace firehose::http {

/// One context per file of roots, made on first use and kept; references stay valid as long as this
/// object. The system's roots are those of OpenSSL. Single shard.
class tls_contexts {
public:
    result<boost::asio::ssl::context*> get(const std::string& ca_file);

private:
    std::map<std::string, boost::asio::ssl::context> made_;
};

/// Prepares one connection: the name to ask for (SNI) and the name or address to insist on.
error_code expect_host(SSL* connection, const std::string& host);

}  // namespace firehose::http
