/// Strings that cannot be printed by accident, and leave nothing in memory.
#pragma once
#include <string>
#include <utility>

namespace firehose::http {

/// Overwrites a string's memory, its spare capacity too, and empties it.
void wipe(std::string& text) noexcept;

/// A string that leaves only through reveal(). It has no stream operator, no conversion and no
/// comparison, so that it cannot get into a log, an error or a configuration dump by accident. Its memory is
/// overwritten when it goes, and so is what it was moved from.
class secret {
public:
    secret() = default;
    explicit secret(std::string value) : value_(std::move(value)) { wipe(value); }
    secret(const secret& other) = default;
    secret(secret&& other) noexcept : value_(std::move(other.value_)) { wipe(other.value_); }
    secret& operator=(const secret& other) {
        if (this != &other) *this = secret(other);
        return *this;
    }
    secret& operator=(secret&& other) noexcept {
        value_.swap(other.value_);
        return *this;
    }
    ~secret() { wipe(value_); }
    const std::string& reveal() const noexcept { return value_; }
    bool empty() const noexcept { return value_.empty(); }

private:
    std::string value_;
};

/// Whether two secrets are the same, in a time that depends on their lengths alone.
bool equal(const secret& a, const secret& b) noexcept;

}  // namespace firehose::http
