#include "tests/loopback/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include <unistd.h>

namespace firehose::loopback {

namespace {

struct release {
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(X509* p) const { X509_free(p); }
};
using key = std::unique_ptr<EVP_PKEY, release>;
using certificate = std::unique_ptr<X509, release>;

void need(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

key make_key() { return key(EVP_EC_gen("P-256")); }

void extend(X509* cert, X509* issuer, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
    need(extension != nullptr, "extension");
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

certificate make_certificate(EVP_PKEY* subject, const char* name, X509* issuer, EVP_PKEY* by, long begins,
                             long ends, const std::string& names) {
    static std::atomic<long> serial = ::getpid() * 1000L;
    certificate cert(X509_new());
    X509_set_version(cert.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), begins);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), ends);
    X509_set_pubkey(cert.get(), subject);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509* const above = issuer != nullptr ? issuer : cert.get();
    X509_set_issuer_name(cert.get(), X509_get_subject_name(above));
    if (names.empty()) {
        extend(cert.get(), above, NID_basic_constraints, "critical,CA:TRUE");
        extend(cert.get(), above, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        extend(cert.get(), above, NID_basic_constraints, "CA:FALSE");
        extend(cert.get(), above, NID_subject_alt_name, names);
    }
    need(X509_sign(cert.get(), by, EVP_sha256()) > 0, "sign");
    return cert;
}

}  // namespace

namespace {
/// Two roots of one name would be taken for each other until the signature fails.
std::string unique_name() {
    static std::atomic<int> made = 0;
    return "Root of the test " + std::to_string(++made);
}
}  // namespace

struct authority_of_ours::parts {
    key own_key = make_key();
    certificate root =
        make_certificate(own_key.get(), unique_name().c_str(), nullptr, own_key.get(), -3600, 86'400, "");
};

authority_of_ours::authority_of_ours() : parts_(std::make_unique<parts>()) {
    std::string name = (std::filesystem::temp_directory_path() / "firehose-root-XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    need(fd >= 0, "temporary file");
    FILE* out = ::fdopen(fd, "w");
    need(PEM_write_X509(out, parts_->root.get()) == 1, "write");
    std::fclose(out);
    file_ = name;
}

authority_of_ours::~authority_of_ours() {
    std::filesystem::remove(file_);
    for (const auto& name : others_) std::filesystem::remove(name);
}

std::string authority_of_ours::temporary_file() const {
    std::string name = (std::filesystem::temp_directory_path() / "firehose-client-XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    need(fd >= 0, "temporary file");
    ::close(fd);
    others_.push_back(name);
    return name;
}

client_files authority_of_ours::client(const std::string& passphrase) const {
    const key own = make_key();
    const auto leaf = make_certificate(own.get(), "client", parts_->root.get(), parts_->own_key.get(), -3600,
                                       3600, "DNS:client.example");
    const auto write = [&](bool certificate, bool private_key) {
        const auto name = temporary_file();
        FILE* out = std::fopen(name.c_str(), "w");
        need(out != nullptr, "temporary file");
        std::string locked = passphrase;
        auto* const word = reinterpret_cast<unsigned char*>(locked.empty() ? nullptr : locked.data());
        if (certificate) need(PEM_write_X509(out, leaf.get()) == 1, "write");
        if (private_key)
            need(PEM_write_PrivateKey(out, own.get(), word == nullptr ? nullptr : EVP_aes_256_cbc(), word,
                                      static_cast<int>(locked.size()), nullptr, nullptr) == 1,
                 "write");
        std::fclose(out);
        return name;
    };
    client_files made;
    made.certificate = write(true, false);
    made.key = write(false, true);
    made.both = write(true, true);
    return made;
}

boost::asio::ssl::context authority_of_ours::server(const leaf_options& how) const {
    const key own = make_key();
    X509* const issuer = how.self_signed ? nullptr : parts_->root.get();
    EVP_PKEY* const by = how.self_signed ? own.get() : parts_->own_key.get();
    const auto leaf = make_certificate(own.get(), "leaf", issuer, by, how.begins, how.ends, how.names);
    boost::asio::ssl::context out(boost::asio::ssl::context::tls_server);
    need(SSL_CTX_use_certificate(out.native_handle(), leaf.get()) == 1, "certificate");
    need(SSL_CTX_use_PrivateKey(out.native_handle(), own.get()) == 1, "key");
    return out;
}

}  // namespace firehose::loopback
