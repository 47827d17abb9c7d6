#include "examples/firehose/config_reader.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>

namespace firehose::app {
namespace json = boost::json;
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto substituted = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
            diagonal = row[j];
            row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

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

bool is_pointer(std::string_view text) { return text.empty() || text.front() == '/'; }

}  // namespace

std::string_view nearest(std::string_view word, std::initializer_list<std::string_view> known) {
    std::string_view best;
    std::size_t least = std::max<std::size_t>(2, word.size() / 2) + 1;
    for (const auto candidate : known) {
        const auto d = edit_distance(word, candidate);
        if (d < least) {
            least = d;
            best = candidate;
        }
    }
    return best;
}

void object_reader::only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : *object_) {
        const std::string_view name(key.data(), key.size());
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        std::string message = "unknown key";
        if (const auto guess = nearest(name, known); !guess.empty()) {
            message.append("; did you mean \"").append(guess).append("\"?");
        } else {
            message.append("; known are");
            for (const auto k : known) message.append(" ").append(k);
        }
        fail(name, std::move(message));
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

void object_reader::read_secret(std::string_view name, const std::filesystem::path& base,
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
    if (!variable.empty()) {
        const auto* text = std::getenv(variable.c_str());
        if (!text || !*text) return from.fail("env", "the environment variable " + variable + " is not set");
        out = storage::secret(text);
        return;
    }
    std::ifstream in(base / path, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (!in) return from.fail("file", "cannot read " + (base / path).string());
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.empty()) return from.fail("file", (base / path).string() + " is empty");
    out = storage::secret(std::move(text));
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
