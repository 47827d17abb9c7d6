#include "examples/firehose/openapi_check.hpp"

#include "examples/firehose/access.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <map>

namespace firehose::app {
namespace {

namespace json = boost::json;
using open_by_place = std::map<std::string, bool>;  // "GET /flows/{id}", and whether anybody may

/// "/ids/{id:number}" as "/ids/{id}".
std::string described_form(std::string_view pattern) {
    std::string out;
    bool type = false;
    for (const char c : pattern) {
        type = c == ':' || (type && c != '}');
        if (!type) out += c;
    }
    return out;
}

open_by_place places_of(const json::value& document) {
    open_by_place out;
    for (const auto& [path, item] : document.at("paths").as_object())
        for (const auto& [key, operation] : item.as_object()) {
            if (!operation.is_object()) continue;  // "parameters" of all methods
            std::string method(key);
            std::ranges::transform(method, method.begin(),
                                   [](char c) { return static_cast<char>(c - 'a' + 'A'); });
            const auto* security = operation.get_object().if_contains("security");
            out[method + " " + std::string(path)] = security != nullptr && security->as_array().empty();
        }
    return out;
}

open_by_place places_of(const http::router& routes) {
    open_by_place out;
    for (const auto* one : routes.all())
        out[one->method + " " + described_form(one->pattern)] = one->access == open_to_all;
    return out;
}

}  // namespace

std::vector<std::string> openapi_differences(std::string_view description, const http::router& routes) {
    std::vector<std::string> out;
    const auto described = places_of(json::parse({description.data(), description.size()}));
    const auto served = places_of(routes);
    for (const auto& [place, open] : served) {
        const auto found = described.find(place);
        if (found == described.end())
            out.push_back(place + " is not described");
        else if (found->second != open)
            out.push_back(place + " is described as " + (found->second ? "open" : "closed") + " and is not");
    }
    for (const auto& [place, open] : described)
        if (!served.contains(place)) out.push_back(place + " is described and does not exist");
    return out;
}

}  // namespace firehose::app
