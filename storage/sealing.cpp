#include "storage/sealing.hpp"

#include "http/digest.hpp"
#include "pipeline/bytes.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>

namespace firehose::storage {
namespace json = boost::json;
namespace {

constexpr std::size_t key_size = 32;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::string_view cipher_name = "AES-256-GCM";

struct cipher_deleter {
    void operator()(EVP_CIPHER_CTX* c) const noexcept { EVP_CIPHER_CTX_free(c); }
};
using cipher = std::unique_ptr<EVP_CIPHER_CTX, cipher_deleter>;

cipher new_cipher() {
    cipher made(EVP_CIPHER_CTX_new());
    if (!made) throw std::bad_alloc();
    return made;
}

const unsigned char* octets(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* octets(std::string& text) noexcept { return reinterpret_cast<unsigned char*>(text.data()); }

int length_of(std::string_view text) noexcept { return static_cast<int>(text.size()); }

/// Everything about a sealed document that is not secret.
std::string associated_data(std::string_view key_id, std::string_view bound_to) {
    return std::string("firehose sealed 1\n").append(key_id).append("\n").append(bound_to);
}

std::optional<std::string> from_hex(std::string_view hex) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        const int high = digit(hex[i]), low = digit(hex[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<char>(high * 16 + low));
    }
    return out;
}

std::optional<std::string> base64_text(std::string_view text) {
    const auto bytes = http::from_base64(text);
    if (!bytes) return std::nullopt;
    return std::string(as_text(*bytes));
}

error coded(std::string_view code, std::string text) {
    error_details d;
    d.provider_code = code;
    d.context = std::move(text);
    return {disposition::stop, std::move(d)};
}

struct sealed_parts {
    std::string key_id{}, nonce{}, body{}, tag{};
};

std::string text_member(const json::object& from, std::string_view name) {
    const auto* value = from.if_contains(name);
    return value && value->is_string() ? std::string(std::string_view(value->get_string())) : std::string();
}

std::optional<sealed_parts> parse_sealed(std::string_view text) {
    error_code ec;
    const auto document = json::parse(text, ec);
    if (ec || !document.is_object()) return std::nullopt;
    const auto& from = document.get_object();
    const auto* version = from.if_contains("v");
    const bool known = version && version->is_int64() && version->get_int64() == 1;
    if (!known || text_member(from, "cipher") != cipher_name) return std::nullopt;
    auto nonce = base64_text(text_member(from, "nonce"));
    auto body = base64_text(text_member(from, "sealed"));
    if (!nonce || !body || nonce->size() != nonce_size || body->size() < tag_size) return std::nullopt;
    sealed_parts out;
    out.key_id = text_member(from, "key_id");
    out.nonce = std::move(*nonce);
    out.tag = body->substr(body->size() - tag_size);
    out.body = body->substr(0, body->size() - tag_size);
    return out;
}

}  // namespace

sealing_key::sealing_key(http::secret bytes) : bytes_(std::move(bytes)) {
    const auto labelled = http::secret("firehose sealing key id\n" + bytes_.reveal());
    const auto digest = http::sha256(labelled.reveal());
    id_ = http::to_hex(std::span(digest).first(8));
}

result<sealing_key> sealing_key::parse(const http::secret& text) {
    std::string_view given = text.reveal();
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!given.empty() && blank(given.front())) given.remove_prefix(1);
    while (!given.empty() && blank(given.back())) given.remove_suffix(1);
    auto bytes = given.size() == 2 * key_size ? from_hex(given) : base64_text(given);
    if (!bytes || bytes->size() != key_size)
        return error(disposition::stop, "must be 32 random bytes in base64 or hexadecimal: make one with "
                                        "\"openssl rand -base64 32\"");
    return sealing_key(http::secret(std::move(*bytes)));
}

keyring::keyring(sealing_key current, std::vector<sealing_key> previous) {
    keys_.push_back(std::move(current));
    for (auto& key : previous) keys_.push_back(std::move(key));
}

const sealing_key* keyring::find(std::string_view key_id) const noexcept {
    const auto found = std::ranges::find(keys_, key_id, &sealing_key::id);
    return found == keys_.end() ? nullptr : &*found;
}

bool keyring::knows(std::string_view key_id) const noexcept { return find(key_id) != nullptr; }

std::string keyring::key_of(std::string_view sealed) {
    const auto parts = parse_sealed(sealed);
    return parts ? parts->key_id : std::string();
}

std::string keyring::seal(const http::secret& plain, std::string_view bound_to, randomness& random) const {
    const auto& key = keys_.front();
    std::string nonce(nonce_size, '\0');
    random.fill(std::as_writable_bytes(std::span(nonce)));
    const auto also = associated_data(key.id(), bound_to);
    const auto& text = plain.reveal();
    std::string body(text.size() + tag_size, '\0');
    const auto with = new_cipher();
    int n = 0;
    // OpenSSL's documented order; none of it fails but for lack of memory.
    const bool sealed =
        EVP_EncryptInit_ex(with.get(), EVP_aes_256_gcm(), nullptr, octets(key.bytes()), octets(nonce)) == 1 &&
        EVP_EncryptUpdate(with.get(), nullptr, &n, octets(also), length_of(also)) == 1 &&
        EVP_EncryptUpdate(with.get(), octets(body), &n, octets(text), length_of(text)) == 1 &&
        EVP_EncryptFinal_ex(with.get(), octets(body) + n, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(with.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_size),
                            octets(body) + text.size()) == 1;
    if (!sealed) throw std::bad_alloc();
    json::object out;
    out["v"] = 1;
    out["cipher"] = cipher_name;
    out["key_id"] = key.id();
    out["nonce"] = http::to_base64(as_bytes(nonce));
    out["sealed"] = http::to_base64(as_bytes(body));
    return json::serialize(out);
}

result<http::secret> keyring::open(std::string_view sealed, std::string_view bound_to) const {
    auto parts = parse_sealed(sealed);
    if (!parts) return coded(damaged, "is not a sealed document");
    const auto* key = find(parts->key_id);
    if (key == nullptr) {
        auto text = "is sealed with the key " + parts->key_id + ", which is not configured";
        if (!empty()) text += " (the current key is " + current_id() + ")";
        return coded(unknown_key, std::move(text));
    }
    const auto also = associated_data(parts->key_id, bound_to);
    std::string text(parts->body.size(), '\0');
    const auto with = new_cipher();
    int n = 0;
    const bool opened =
        EVP_DecryptInit_ex(with.get(), EVP_aes_256_gcm(), nullptr, octets(key->bytes()),
                           octets(parts->nonce)) == 1 &&
        EVP_DecryptUpdate(with.get(), nullptr, &n, octets(also), length_of(also)) == 1 &&
        EVP_DecryptUpdate(with.get(), octets(text), &n, octets(parts->body), length_of(parts->body)) == 1 &&
        EVP_CIPHER_CTX_ctrl(with.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_size),
                            octets(parts->tag)) == 1 &&
        EVP_DecryptFinal_ex(with.get(), octets(text) + n, &n) == 1;
    http::secret plain(std::move(text));
    if (!opened)
        return coded(damaged, "has been changed since it was sealed, or was sealed for another name");
    return plain;
}

}  // namespace firehose::storage
