#include "storage/credentials.hpp"

#include <openssl/crypto.h>

namespace firehose::storage {

bool equal(const secret& a, const secret& b) noexcept {
    const auto& left = a.reveal();
    const auto& right = b.reveal();
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace firehose::storage
