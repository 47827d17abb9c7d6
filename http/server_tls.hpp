/// The server's side of TLS: a certificate chain and its key, from two PEM files.
#pragma once
#include "http/server_options.hpp"
#include "pipeline/error.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace firehose::http {

/// TLS 1.2 and up, no compression, no renegotiation, ALPN http/1.1. Fails when the files cannot be read or
/// do not belong together; nothing of them is in the error. Connections keep the context they began with,
/// so a new one may be made at any time. Reads files: small ones, at start and on reload.
result<std::shared_ptr<boost::asio::ssl::context>> load_server_tls(const server_tls_files& files);

}  // namespace firehose::http
