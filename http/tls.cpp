#include "http/tls.hpp"

#include <boost/asio/ip/address.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace firehose::http {

namespace ssl = boost::asio::ssl;

namespace {

error cannot_load(const std::string& what, const error_code& why, const std::string& advice) {
    ERR_clear_error();
    error_details d;
    d.code = why;
    d.context = "cannot load " + what + ": " + why.message() + "; " + advice;
    return {disposition::stop, std::move(d)};
}

result<> trust(ssl::context& made, const std::string& ca_file) {
    error_code failed;
    made.set_verify_mode(ssl::verify_peer, failed);
    if (failed)
        return cannot_load("the verification of servers", failed, "check the installation of OpenSSL");
    if (ca_file.empty()) {
        made.set_default_verify_paths(failed);
    } else {
        made.load_verify_file(ca_file, failed);
    }
    if (!failed) return {};
    const auto from = ca_file.empty() ? std::string("the system") : ca_file;
    return cannot_load("the certificates to trust from " + from, failed,
                       "check that the file exists and holds PEM certificates");
}

result<> show(ssl::context& made, const std::string& certificate, const std::string& key) {
    error_code failed;
    made.use_certificate_chain_file(certificate, failed);
    if (failed)
        return cannot_load("the client certificate from " + certificate, failed,
                           "check that the file exists and holds a PEM certificate");
    // Without this OpenSSL would ask for the passphrase on the terminal.
    made.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); });
    made.use_private_key_file(key, ssl::context::pem, failed);
    if (failed)
        return cannot_load("the key of the client certificate from " + key, failed,
                           "check that the file holds the certificate's own PEM key, without a passphrase");
    return {};
}

}  // namespace

result<ssl::context*> tls_contexts::get(const authority& to) {
    const auto& key = to.client_key.empty() ? to.client_certificate : to.client_key;
    files from{to.ca_file, to.client_certificate, key};
    const auto found = made_.find(from);
    if (found != made_.end()) return &found->second;

    ssl::context made(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(made.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(made.native_handle(), SSL_SESS_CACHE_OFF);  // the pool keeps sessions
    const auto trusted = trust(made, to.ca_file);
    if (!trusted.has_value()) return trusted.error();
    if (!to.client_certificate.empty()) {
        const auto shown = show(made, to.client_certificate, key);
        if (!shown.has_value()) return shown.error();
    }
    return &made_.emplace(std::move(from), std::move(made)).first->second;
}

std::optional<error> refused_client_certificate(std::string_view name, const error_code& ec) {
    if (ec.category() != boost::asio::error::get_ssl_category()) return std::nullopt;
    switch (ERR_GET_REASON(static_cast<unsigned long>(ec.value()))) {
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA: break;
        default: return std::nullopt;
    }
    error_details d;
    d.code = ec;
    d.context.append(name).append(" does not accept the client certificate, or wants one: ");
    d.context.append(ec.message()).append("; check client_certificate of the credential");
    return error(disposition::stop, std::move(d));
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
