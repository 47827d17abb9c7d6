#include "http/secret.hpp"

#include <openssl/crypto.h>

namespace firehose::http {

void wipe(std::string& text) noexcept {
    text.resize(text.capacity());  // never allocates: it is the capacity there is
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

bool equal(const secret& a, const secret& b) noexcept {
    const auto& left = a.reveal();
    const auto& right = b.reveal();
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace firehose::http
