/// The members of a small JSON object, as services that hand out credentials answer.
#pragma once
#include "storage/credentials.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::storage {

/// Any of them may be a secret, so all are kept as one. Numbers are written as digits.
class flat_json {
public:
    /// Nothing when the text is no JSON object. Members that are neither strings nor numbers are left out.
    static std::optional<flat_json> parse(std::string_view text);

    /// Empty when it is absent.
    const secret& get(std::string_view name) const;
    const std::string& text(std::string_view name) const { return get(name).reveal(); }

private:
    std::map<std::string, secret, std::less<>> members_{};
};

}  // namespace firehose::storage
