#include "storage/flat_json.hpp"

#include <boost/json/parse.hpp>

#include <utility>

namespace firehose::storage {

namespace json = boost::json;

std::optional<flat_json> flat_json::parse(std::string_view text) {
    boost::system::error_code ec;
    const json::value document = json::parse(text, ec);
    if (ec || !document.is_object()) return std::nullopt;
    flat_json out;
    for (const auto& [name, value] : document.get_object()) {
        std::string plain;
        if (value.is_string())
            plain = std::string(value.get_string());
        else if (value.is_int64())
            plain = std::to_string(value.get_int64());
        else
            continue;
        out.members_.insert_or_assign(std::string(name), secret(std::move(plain)));
    }
    return out;
}

const secret& flat_json::get(std::string_view name) const {
    static const secret none;
    const auto found = members_.find(name);
    return found == members_.end() ? none : found->second;
}

}  // namespace firehose::storage
