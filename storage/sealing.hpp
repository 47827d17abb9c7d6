/// Secrets at rest: AES-256-GCM by OpenSSL, under keys that can be rotated.
#pragma once
#include "http/secret.hpp"
#include "pipeline/error.hpp"
#include "pipeline/randomness.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage {

/// 32 random bytes. Wiped when it goes.
class sealing_key {
public:
    /// From base64 (44 characters) or hexadecimal (64 digits), blanks around it ignored. The error says how
    /// to make one, and never repeats the text.
    static result<sealing_key> parse(const http::secret& text);

    /// Tells keys apart and gives nothing away: the first 8 bytes of a SHA-256 over a label and the key, in
    /// hexadecimal.
    const std::string& id() const noexcept { return id_; }
    const std::string& bytes() const noexcept { return bytes_.reveal(); }

private:
    explicit sealing_key(http::secret bytes);
    http::secret bytes_;
    std::string id_;
};

/// The key that seals, and those that were used before it and still open.
class keyring {
public:
    keyring() = default;
    keyring(sealing_key current, std::vector<sealing_key> previous);

    bool empty() const noexcept { return keys_.empty(); }
    /// Of the key that seals; only with one.
    const std::string& current_id() const noexcept { return keys_.front().id(); }
    bool knows(std::string_view key_id) const noexcept;

    /// A JSON document: {"v":1,"cipher":"AES-256-GCM","key_id":…,"nonce":…,"sealed":…}, the last two in
    /// base64, the 16 bytes of the tag at the end of `sealed`. The nonce is 12 random bytes. `bound_to` and
    /// the key's id are authenticated as well, so that one document cannot stand in for another. Needs a key.
    std::string seal(const http::secret& plain, std::string_view bound_to, randomness& random) const;

    /// What was sealed. The error's provider_code() is `unknown_key` when no key of the ring is the one that
    /// sealed it, which the sentence names, and `damaged` when the bytes are not what was sealed.
    result<http::secret> open(std::string_view sealed, std::string_view bound_to) const;

    /// The id of the key that sealed it; empty when it is no sealed document.
    static std::string key_of(std::string_view sealed);

    static constexpr std::string_view unknown_key = "UnknownKey";
    static constexpr std::string_view damaged = "Damaged";

private:
    const sealing_key* find(std::string_view key_id) const noexcept;
    std::vector<sealing_key> keys_{};  // the current one first
};

}  // namespace firehose::storage
