#include "examples/firehose/sealing_config.hpp"

#include <optional>

namespace firehose::app {
namespace json = boost::json;
namespace {

constexpr std::string_view current_name = "credentials_key";
constexpr std::string_view previous_name = "previous_credentials_keys";

std::optional<storage::sealing_key> read_key(const object_reader& from, std::string_view name,
                                             const std::filesystem::path& base,
                                             std::vector<fault>& warnings) {
    storage::secret text;
    from.read_secret(name, base, secrets::read, text, warnings);
    if (text.empty()) return std::nullopt;  // absent, or a fault already
    auto key = storage::sealing_key::parse(text);
    if (key.has_value()) return std::move(*key);
    from.fail(name, key.error().context());
    return std::nullopt;
}

}  // namespace

storage::keyring read_keyring(const object_reader& server, const std::filesystem::path& base, secrets how,
                              std::vector<fault>& warnings) {
    if (how == secrets::not_needed) return {};
    auto current = read_key(server, current_name, base, warnings);
    std::vector<storage::sealing_key> previous;
    if (const auto* value = server.find(previous_name)) {
        if (!value->is_array()) {
            server.fail(previous_name, "must be a list of keys");
            return {};
        }
        // One object with a member for each, so that the reader of secrets can be asked for them by name.
        json::object by_index;
        std::size_t count = 0;
        for (const auto& one : value->get_array()) by_index[std::to_string(count++)] = one;
        const auto all = server.part(previous_name, by_index);
        for (std::size_t i = 0; i < count; ++i)
            if (auto key = read_key(all, std::to_string(i), base, warnings))
                previous.push_back(std::move(*key));
        if (!server.find(current_name)) server.fail(current_name, "is required beside the previous ones");
    }
    if (!current) return {};
    return {std::move(*current), std::move(previous)};
}

}  // namespace firehose::app
