#include "http/tls.hpp"

#include <boost/asio/ip/address.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace firehose::http {

namespace ssl = boost::asio::ssl;

result<ssl::context*> tls_contexts::get(const std::string& ca_file) {
    const auto found = made_.find(ca_file);
    if (found != made_.end()) return &found->second;

    ssl::context made(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(made.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(made.native_handle(), SSL_SESS_CACHE_OFF);  // the pool keeps sessions
    error_code failed;
    made.set_verify_mode(ssl::verify_peer, failed);
    if (!failed) {
        if (ca_file.empty()) {
            made.set_default_verify_paths(failed);
        } else {
            made.load_verify_file(ca_file, failed);
        }
    }
    if (failed) {
        ERR_clear_error();
        error_details d;
        d.code = failed;
        d.context = "cannot load the certificates to trust from " +
                    (ca_file.empty() ? std::string("the system") : ca_file) + ": " + failed.message() +
                    "; check that the file exists and holds PEM certificates";
        return error(disposition::stop, std::move(d));
    }
    return &made_.emplace(ca_file, std::move(made)).first->second;
}

namespace {
/// What the macro SSL_set_tlsext_host_name does, without its C cast.
bool set_asked_name(SSL* connection, std::string name) {
    return SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}
}  // namespace

error_code expect_host(SSL* connection, const std::string& host) {
    error_code not_numeric;
    boost::asio::ip::make_address(host, not_numeric);
    bool ok = false;
    if (not_numeric) {
        X509_VERIFY_PARAM_set_hostflags(SSL_get0_param(connection), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = set_asked_name(connection, host) && SSL_set1_host(connection, host.c_str()) == 1;
    } else {  // SNI must not carry an address (RFC 6066)
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host.c_str()) == 1;
    }
    if (ok) return {};
    return error_code(static_cast<int>(ERR_get_error()), boost::asio::error::get_ssl_category());
}

}  // namespace firehose::http
