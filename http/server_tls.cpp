#include "http/server_tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

namespace firehose::http {

namespace ssl = boost::asio::ssl;

namespace {

error cannot_use(const std::string& what, const std::string& file, const error_code& why) {
    ERR_clear_error();
    error_details d;
    d.code = why;
    d.context = "cannot use the " + what + " " + file + ": " + why.message() +
                "; check that the file exists, can be read and holds PEM";
    return {disposition::stop, std::move(d)};
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
    static constexpr std::array<unsigned char, 9> ours{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    const int found =
        SSL_select_next_proto(&chosen, out_size, ours.data(), ours.size(), offered, offered_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

result<std::shared_ptr<ssl::context>> load_server_tls(const server_tls_files& files) {
    auto made = std::make_shared<ssl::context>(ssl::context::tls_server);
    SSL_CTX* const raw = made->native_handle();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw,
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);  // idle connections are many
    SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
    error_code failed;
    made->use_certificate_chain_file(files.certificate, failed);
    if (failed) return cannot_use("certificate", files.certificate, failed);
    made->use_private_key_file(files.key, ssl::context::pem, failed);
    if (failed) return cannot_use("private key", files.key, failed);
    if (SSL_CTX_check_private_key(raw) == 1) return made;
    ERR_clear_error();
    return error(disposition::stop,
                 "the private key " + files.key + " does not belong to the certificate " + files.certificate);
}

}  // namespace firehose::http
