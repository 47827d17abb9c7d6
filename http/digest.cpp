#include "http/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <new>

namespace firehose::http {

namespace {

struct free_context {
    void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
};
using digest_context = std::unique_ptr<EVP_MD_CTX, free_context>;

/// Fetched once: looking an algorithm up by name costs more than hashing a short text. Kept until
/// the process ends.
const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
    return found;
}
const EVP_MD* md5_algorithm() {
    static const EVP_MD* const found = EVP_MD_fetch(nullptr, "MD5", nullptr);
    return found;
}

void check(int ok) {
    if (ok != 1) throw std::bad_alloc();
}

digest_context make_context() {
    digest_context c(EVP_MD_CTX_new());
    if (!c) throw std::bad_alloc();
    return c;
}

template <std::size_t N> std::array<std::byte, N> finish(EVP_MD_CTX* c) {
    std::array<std::byte, N> out;
    check(EVP_DigestFinal_ex(c, reinterpret_cast<unsigned char*>(out.data()), nullptr));
    return out;
}

template <std::size_t N>
std::array<std::byte, N> digest(const EVP_MD* how, std::span<const std::span<const std::byte>> parts) {
    // One for each algorithm and thread: making one costs as much as hashing a few hundred bytes.
    thread_local const auto c = make_context();
    check(EVP_DigestInit_ex(c.get(), how, nullptr));
    for (const auto& part : parts) check(EVP_DigestUpdate(c.get(), part.data(), part.size()));
    return finish<N>(c.get());
}

}  // namespace

sha256_value sha256(std::span<const std::span<const std::byte>> parts) {
    return digest<32>(sha256_algorithm(), parts);
}

sha256_value sha256(std::string_view data) {
    const auto whole = std::as_bytes(std::span(data.data(), data.size()));
    return sha256(std::span(&whole, 1));
}

md5_value md5(std::span<const std::span<const std::byte>> parts) {
    return digest<16>(md5_algorithm(), parts);
}

/// RFC 2104, by hand: EVP_MAC looks up and allocates on every use, which takes longer than the hash.
struct hmac_key::state {
    digest_context inner = make_context();
    digest_context outer = make_context();
    digest_context work = make_context();
};

hmac_key::hmac_key(std::span<const std::byte> key) : state_(std::make_unique<state>()) {
    std::array<std::byte, 64> block{};
    if (key.size() > block.size()) {
        auto shortened = sha256(std::span(&key, 1));
        std::ranges::copy(shortened, block.begin());
        OPENSSL_cleanse(shortened.data(), shortened.size());
    } else {
        std::ranges::copy(key, block.begin());
    }
    const auto start = [&block](EVP_MD_CTX* c, std::byte pad) {
        std::array<std::byte, 64> mixed;
        std::ranges::transform(block, mixed.begin(), [pad](std::byte b) { return b ^ pad; });
        check(EVP_DigestInit_ex(c, sha256_algorithm(), nullptr));
        check(EVP_DigestUpdate(c, mixed.data(), mixed.size()));
        OPENSSL_cleanse(mixed.data(), mixed.size());
    };
    start(state_->inner.get(), std::byte{0x36});
    start(state_->outer.get(), std::byte{0x5c});
    OPENSSL_cleanse(block.data(), block.size());
}

hmac_key::hmac_key(hmac_key&&) noexcept = default;
hmac_key& hmac_key::operator=(hmac_key&&) noexcept = default;
hmac_key::~hmac_key() = default;

sha256_value hmac_key::operator()(std::string_view data) {
    EVP_MD_CTX* const work = state_->work.get();
    check(EVP_MD_CTX_copy_ex(work, state_->inner.get()));
    check(EVP_DigestUpdate(work, data.data(), data.size()));
    const auto inside = finish<32>(work);
    check(EVP_MD_CTX_copy_ex(work, state_->outer.get()));
    check(EVP_DigestUpdate(work, inside.data(), inside.size()));
    return finish<32>(work);
}

sha256_value hmac_sha256(std::span<const std::byte> key, std::string_view data) {
    return hmac_key(key)(data);
}

void append_hex(std::string& out, std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    const std::size_t before = out.size();
    out.resize(before + bytes.size() * 2);
    char* to = out.data() + before;
    for (const std::byte b : bytes) {
        *to++ = digits[std::to_integer<unsigned>(b) >> 4];
        *to++ = digits[std::to_integer<unsigned>(b) & 15];
    }
}

std::string to_hex(std::span<const std::byte> bytes) {
    std::string out;
    append_hex(out, bytes);
    return out;
}

std::string to_base64(std::span<const std::byte> bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int n =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(n));
    return out;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const auto stripped = text.substr(0, text.find_last_not_of('=') + 1);
    const std::size_t padding = text.size() - stripped.size();
    const bool clean = std::ranges::all_of(stripped, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
               c == '/';
    });
    if (!clean || padding > 2) return std::nullopt;  // OpenSSL would skip blanks and accept '=' anywhere
    std::vector<std::byte> out(text.size() / 4 * 3);
    const int n =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (n < 0) return std::nullopt;
    out.resize(static_cast<std::size_t>(n) - padding);
    return out;
}

}  // namespace firehose::http
