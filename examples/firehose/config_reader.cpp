#include "examples/firehose/config_reader.hpp"

#include "stages/nearest_name.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace firehose::app {
namespace json = boost::json;
std::string escape_pointer(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

namespace {

bool is_pointer(std::string_view text) { return text.empty() || text.front() == '/'; }

}  // namespace

std::optional<std::string> read_file(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return std::nullopt;  // opens, and throws when read
    std::ifstream in(path, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (!in) return std::nullopt;
    return text;
}

void object_reader::only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : *object_) {
        const std::string_view name(key.data(), key.size());
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        fail(name, stages::unknown_key_message(name, known));
    }
}

const json::value* object_reader::find(std::string_view name) const {
    const auto* value = object_->if_contains(name);
    return value && !value->is_null() ? value : nullptr;
}

std::optional<object_reader> object_reader::object(std::string_view name) const {
    const auto* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_object()) {
        fail(name, "must be an object");
        return std::nullopt;
    }
    return object_reader(value->get_object(), at(name), *faults_);
}

void object_reader::read(std::string_view name, std::string& out) const {
    const auto* value = find(name);
    if (!value) return;
    if (value->is_string())
        out = value->get_string();
    else
        fail(name, "must be a string");
}

void object_reader::read(std::string_view name, bool& out) const {
    const auto* value = find(name);
    if (!value) return;
    if (value->is_bool())
        out = value->get_bool();
    else
        fail(name, "must be true or false");
}

std::optional<std::uint64_t> object_reader::number(std::string_view name, std::uint64_t least,
                                                   std::uint64_t most) const {
    const auto* value = find(name);
    if (!value) return std::nullopt;
    boost::system::error_code ec;
    const auto n = value->to_number<std::uint64_t>(ec);
    if (!value->is_double() && !ec && n >= least && n <= most) return n;
    fail(name, "must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
}

void object_reader::read(std::string_view name, std::size_t& out, std::uint64_t least,
                         std::uint64_t most) const {
    if (const auto n = number(name, least, most)) out = *n;
}

void object_reader::read(std::string_view name, unsigned& out, unsigned least, unsigned most) const {
    if (const auto n = number(name, least, most)) out = static_cast<unsigned>(*n);
}

void object_reader::read(std::string_view name, std::chrono::milliseconds& out) const {
    constexpr std::uint64_t a_day = 86'400'000;
    if (const auto n = number(name, 1, a_day)) out = std::chrono::milliseconds(static_cast<std::int64_t>(*n));
}

void object_reader::read_secret(std::string_view name, const std::filesystem::path& base, secrets how,
                                storage::secret& out, std::vector<fault>& warnings) const {
    const auto* value = find(name);
    if (!value) return;
    if (value->is_string()) {
        warnings.push_back(
            {at(name), "a secret stands in the configuration itself; use {\"env\": …} or {\"file\": …}"});
        out = storage::secret(std::string(value->get_string()));
        return;
    }
    if (!value->is_object()) return fail(name, "must be a string, {\"env\": NAME} or {\"file\": PATH}");
    const object_reader from(value->get_object(), at(name), *faults_);
    from.only({"env", "file"});
    std::string variable;
    std::string path;
    from.read("env", variable);
    from.read("file", path);
    if (variable.empty() == path.empty()) return fail(name, "must name one of env and file");
    if (how == secrets::not_needed) {
        out = storage::secret("not read");
        return;
    }
    if (!variable.empty()) {
        const auto* text = std::getenv(variable.c_str());
        if (!text || !*text) return from.fail("env", "the environment variable " + variable + " is not set");
        out = storage::secret(text);
        return;
    }
    auto text = read_file(base / path);
    if (!text) return from.fail("file", "cannot read " + (base / path).string());
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (text->empty()) return from.fail("file", (base / path).string() + " is empty");
    out = storage::secret(std::move(*text));
}

void object_reader::read_pointers(std::string_view name, std::vector<std::string>& out) const {
    const auto* present = object_->if_contains(name);
    if (!present) return;
    std::vector<std::string> pointers;
    auto take = [&](const json::value& v) {
        if (v.is_string() && is_pointer(v.get_string()))
            pointers.emplace_back(v.get_string());
        else
            fail(name, "must be a JSON Pointer such as \"/vars/lead/id\", a list of them, or null");
    };
    if (present->is_array()) {
        for (const auto& v : present->get_array()) take(v);
    } else if (!present->is_null()) {
        take(*present);
    }
    out = std::move(pointers);
}

void object_reader::fail(std::string_view name, std::string message) const {
    faults_->push_back({at(name), std::move(message)});
}

std::string object_reader::at(std::string_view name) const { return pointer_ + "/" + escape_pointer(name); }

}  // namespace firehose::app
