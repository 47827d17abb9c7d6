#include "examples/firehose/config_destinations.hpp"

#include "examples/firehose/config_reader.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

namespace firehose::app {
namespace json = boost::json;
namespace {

template <class T> using choice = std::pair<std::string_view, T>;

constexpr std::array<choice<storage::checksum_choice>, 4> checksums{
    {{"automatic", storage::checksum_choice::automatic},
     {"crc32c", storage::checksum_choice::crc32c},
     {"crc64nvme", storage::checksum_choice::crc64nvme},
     {"when_required", storage::checksum_choice::when_required}}};
constexpr std::array<choice<bool>, 2> payloads{{{"signed", false}, {"unsigned", true}}};
constexpr std::array<choice<storage::addressing>, 3> styles{
    {{"automatic", storage::addressing::automatic},
     {"virtual_host", storage::addressing::virtual_host},
     {"path", storage::addressing::path}}};
constexpr std::array<choice<std::string_view>, 3> algorithms{
    {{"AES256", "AES256"}, {"aws:kms", "aws:kms"}, {"aws:kms:dsse", "aws:kms:dsse"}}};
constexpr std::array<choice<disposition>, 4> dispositions{{{"retry", disposition::retry},
                                                           {"slow_down", disposition::slow_down},
                                                           {"park", disposition::park},
                                                           {"stop", disposition::stop}}};

/// The value that `text` names; otherwise a fault that lists the names.
template <class T>
std::optional<T> choose(const object_reader& from, std::string_view name, const std::string& text,
                        std::span<const choice<T>> among) {
    const auto found = std::ranges::find(among, text, &choice<T>::first);
    if (found != among.end()) return found->second;
    std::string names;
    for (const auto& each : among) {
        if (!names.empty()) names += &each == &among.back() ? " or " : ", ";
        names.append("\"").append(each.first).append("\"");
    }
    from.fail(name, "must be " + names);
    return std::nullopt;
}

template <class T, class To>
void read_choice(const object_reader& from, std::string_view name, std::span<const choice<T>> among,
                 To& out) {
    if (!from.find(name)) return;
    std::string text;
    from.read(name, text);
    if (const auto chosen = choose(from, name, text, among)) out = *chosen;
}

bool is_header_text(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

bool is_metadata_name(std::string_view name) {
    const auto fits = [](char c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return letter || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !name.empty() && std::ranges::all_of(name, fits);
}

void read_header_text(const object_reader& from, std::string_view name, std::string& out) {
    from.read(name, out);
    if (!is_header_text(out)) from.fail(name, "may hold visible ASCII characters only");
}

storage::object_labels read_labels(const object_reader& from, std::string_view name) {
    storage::object_labels out;
    const auto all = from.object(name);
    if (!all) return out;
    for (const auto& [key, value] : all->value()) {
        const std::string label(key);
        std::string text;
        all->read(label, text);
        out.emplace_back(label, std::move(text));
    }
    return out;
}

storage::destination_pattern read_match(const object_reader& from) {
    from.only({"service", "bucket", "prefix", "credential_id"});
    storage::destination_pattern out;
    from.read("service", out.service);
    from.read("bucket", out.bucket);
    from.read("prefix", out.prefix);
    from.read("credential_id", out.credential_id);
    return out;
}

storage::encryption_settings read_encryption(const object_reader& from) {
    from.only({"algorithm", "kms_key_id", "kms_context", "bucket_key"});
    storage::encryption_settings out;
    read_choice<std::string_view>(from, "algorithm", algorithms, out.algorithm);
    read_header_text(from, "kms_key_id", out.kms_key_id);
    const auto context = from.object("kms_context");
    if (context) {
        read_labels(from, "kms_context");  // for its faults
        out.kms_context = json::serialize(context->value());
    }
    from.read("bucket_key", out.bucket_key);
    const bool keyed = !out.kms_key_id.empty() || !out.kms_context.empty() || out.bucket_key;
    if (keyed && !out.algorithm.starts_with("aws:kms"))
        from.fail("algorithm", "must be \"aws:kms\" or \"aws:kms:dsse\" for a key, context or bucket key");
    return out;
}

storage::part_settings read_parts(const object_reader& from) {
    from.only({"threshold_bytes", "part_bytes", "in_flight"});
    storage::part_settings out;
    from.read("threshold_bytes", out.threshold, 1, 5ULL << 30);
    from.read("part_bytes", out.size, 5ULL << 20, 5ULL << 30);  // S3 takes no smaller part but the last
    from.read("in_flight", out.in_flight, 1, 64);
    return out;
}

void check_labels(const object_reader& from, const storage::destination_settings& given) {
    for (const auto& [name, value] : given.metadata) {
        if (!is_metadata_name(name))
            from.fail("metadata", "names may hold ASCII letters, digits, '-' and '_' only");
        if (!is_header_text(value)) from.fail("metadata", "values may hold visible ASCII characters only");
    }
    if (given.tags.size() > 10) from.fail("tags", "S3 and Azure take at most 10");
}

storage::destination_settings read_settings(const object_reader& from) {
    storage::destination_settings out;
    read_choice<storage::checksum_choice>(from, "checksum", checksums, out.checksum);
    read_choice<bool>(from, "payload", payloads, out.unsigned_payload);
    if (out.unsigned_payload && out.checksum == storage::checksum_choice::when_required)
        from.fail("payload", "\"unsigned\" needs a checksum: nothing else would guard the body");
    read_choice<storage::addressing>(from, "addressing", styles, out.style);
    if (const auto encryption = from.object("encryption")) out.encryption = read_encryption(*encryption);
    read_header_text(from, "storage_class", out.storage_class);
    read_header_text(from, "access_tier", out.access_tier);
    out.metadata = read_labels(from, "metadata");
    out.tags = read_labels(from, "tags");
    check_labels(from, out);
    if (const auto parts = from.object("multipart")) out.parts = read_parts(*parts);
    if (const auto verdicts = from.object("verdicts")) {
        for (const auto& [answer, text] : read_labels(from, "verdicts")) {
            const auto what = choose<disposition>(*verdicts, answer, text, dispositions);
            if (what) out.verdicts[answer] = *what;
        }
    }
    return out;
}

}  // namespace

std::vector<storage::settings_rule> read_destinations(const json::value& from, const std::string& pointer,
                                                      std::vector<fault>& faults) {
    std::vector<storage::settings_rule> out;
    if (!from.is_array()) {
        faults.push_back({pointer, "must be an array"});
        return out;
    }
    std::size_t index = 0;
    for (const auto& entry : from.get_array()) {
        const auto place = pointer + "/" + std::to_string(index++);
        if (!entry.is_object()) {
            faults.push_back({place, "must be an object"});
            continue;
        }
        const object_reader rule(entry.get_object(), place, faults);
        rule.only({"match", "checksum", "payload", "addressing", "encryption", "storage_class", "access_tier",
                   "metadata", "tags", "multipart", "verdicts"});
        storage::settings_rule made;
        if (const auto match = rule.object("match")) made.match = read_match(*match);
        made.then = read_settings(rule);
        out.push_back(std::move(made));
    }
    return out;
}

}  // namespace firehose::app
