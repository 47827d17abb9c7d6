/// Strings that cannot be printed by accident.
#pragma once
#include <string>
#include <utility>

namespace firehose {

/// A string that leaves only through reveal(). It has no stream operator, no conversion and no
/// comparison, so that it cannot get into a log, an error or a configuration dump by accident.
class secret {
public:
    secret() = default;
    explicit secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const noexcept { return value_; }
    bool empty() const noexcept { return value_.empty(); }

private:
    std::string value_;
};

}  // namespace firehose
