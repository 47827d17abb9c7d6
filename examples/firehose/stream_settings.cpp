#include "examples/firehose/stream_settings.hpp"

#include "examples/firehose/config_reader.hpp"

#include <algorithm>

namespace firehose::app {
namespace {

/// As the route takes it.
bool is_word(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

void read_resources(const object_reader& from, stages::stream_resources& out) {
    for (const auto& [key, value] : from.value()) {
        const std::string name(key);
        const bool typed = value.is_string() && !value.get_string().empty();
        if (is_word(name) && typed)
            out.add(name, std::string(value.get_string()));
        else
            from.fail(name,
                      "a resource is a name of lower-case letters, digits and underscores with the type "
                      "of its events, such as \"invoices\": \"invoice\"");
    }
}

}  // namespace

void read_stream(const object_reader& from, stream_settings& out) {
    from.only({"resources", "account", "requests_per_second", "burst", "scan_ms", "scan_events", "page_bytes",
               "repeat_every"});
    if (const auto resources = from.object("resources")) read_resources(*resources, out.resources);
    from.read("account", out.account);
    from.read("requests_per_second", out.requests_per_second, 0, 1'000'000);
    from.read("burst", out.burst, 1, 1'000'000);
    from.read("scan_ms", out.limits.scan);
    from.read("scan_events", out.limits.scan_events, 1, 1'000'000'000);
    from.read("page_bytes", out.limits.page_bytes, 1, 1u << 30);
    from.read("repeat_every", out.repeat_every, 0, 1'000'000);
}

}  // namespace firehose::app
