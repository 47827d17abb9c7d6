#include "stages/key_template.hpp"

#include "stages/nearest_name.hpp"
#include "storage/object_key.hpp"
#include "storage/text_hash.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

namespace firehose::stages {
namespace {

constexpr std::size_t longest_template = 512;
constexpr std::size_t longest_name_part =
    100;  // of an id inside a name, so that two and a hash fit a file name
constexpr std::size_t longest_component = 250;

// What finish() and with_prefix() put in later. Neither literals nor escaped text contain such bytes.
constexpr char mark_prefix = '\1';
constexpr char mark_first = '\2';
constexpr char mark_last = '\3';
constexpr char mark_hash = '\4';
constexpr char mark_count = '\5';
constexpr char mark_position = '\6';

constexpr std::string_view overflow_value = "_overflow";

bool is_literal(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '=' || c == '/';
}

std::string padded(std::int64_t n, std::size_t width) {
    auto text = std::to_string(n);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

std::string shortened_id(std::string_view id) {
    auto text = storage::escape_component(id);
    return text.size() <= longest_name_part ? text : "~" + storage::sha256_hex(id).substr(0, 32);
}

/// File systems allow 255 bytes in one component; what is longer keeps its beginning, its ending and a hash.
std::string bounded_components(const std::string& key, std::string_view ending) {
    std::string out;
    std::size_t at = 0;
    for (;;) {
        const auto end = std::min(key.find('/', at), key.size());
        const auto part = std::string_view(key).substr(at, end - at);
        if (part.size() <= longest_component) {
            out.append(part);
        } else {
            auto cut = part.substr(0, 180);
            if (const auto escape = cut.rfind('%'); escape != cut.npos && escape + 3 > cut.size())
                cut = cut.substr(0, escape);
            out.append(cut).append("~").append(storage::sha256_hex(part), 0, 32);
            if (end == key.size()) out.append(ending);
        }
        if (end == key.size()) return out;
        out.push_back('/');
        at = end + 1;
    }
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size() || !is_number(text.substr(at, count))) return std::nullopt;
    int n = 0;
    std::from_chars(text.data() + at, text.data() + at + count, n);
    return n;
}

constexpr std::int64_t first_ms = -62'135'596'800'000;  // 0001-01-01
constexpr std::int64_t last_ms = 253'402'300'799'999;   // 9999-12-31

std::optional<std::int64_t> in_range(std::int64_t ms) {
    return ms >= first_ms && ms <= last_ms ? std::optional(ms) : std::nullopt;
}

struct civil {
    explicit civil(std::int64_t ms) {
        const std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds(ms)};
        const auto midnight = std::chrono::floor<std::chrono::days>(at);
        date = std::chrono::year_month_day(midnight);
        time = std::chrono::hh_mm_ss(at - midnight);
    }
    std::chrono::year_month_day date{};
    std::chrono::hh_mm_ss<std::chrono::milliseconds> time{};
};

struct names {
    std::array<std::string_view, 13> all{"prefix", "flow", "yyyy", "MM",       "dd",    "HH", "mm",
                                         "first",  "last", "hash", "position", "count", "ext"};
};

std::string unknown_placeholder(std::string_view name) {
    static constexpr names known;
    const auto text = "{" + std::string(name) + "} is no placeholder";
    const auto near = nearest_name(name, known.all);
    if (!near.empty()) return text + "; did you mean {" + std::string(near) + "}?";
    return text + "; there are {prefix} {flow} {yyyy} {MM} {dd} {HH} {mm} {first} {last} {hash} "
                  "{position} {count} {ext} and JSON Pointers such as {/vars/source/id}";
}

}  // namespace

void key_template::add_literal(std::string_view text) {
    if (!pieces_.empty() && pieces_.back().what == kind::literal)
        pieces_.back().text.append(text);
    else
        pieces_.push_back({kind::literal, std::string(text), 0});
}

std::string key_template::add_placeholder(std::string_view name, packing how) {
    constexpr std::int64_t minute_ms = 60'000;
    const auto add_time = [this](kind what, std::int64_t unit) {
        pieces_.push_back({what, {}, 0});
        if (unit_ms_ == 0 || unit < unit_ms_) unit_ms_ = unit;
    };
    if (name == "prefix")
        pieces_.push_back({kind::prefix, {}, 0});
    else if (name == "flow")
        pieces_.push_back({kind::flow, {}, 0}), flow_ = true;
    else if (name == "yyyy")
        add_time(kind::year, 1440 * minute_ms);
    else if (name == "MM")
        add_time(kind::month, 1440 * minute_ms);
    else if (name == "dd")
        add_time(kind::day, 1440 * minute_ms);
    else if (name == "HH")
        add_time(kind::hour, 60 * minute_ms);
    else if (name == "mm")
        add_time(kind::minute, minute_ms);
    else if (name == "first")
        pieces_.push_back({kind::first, {}, 0});
    else if (name == "last")
        pieces_.push_back({kind::last, {}, 0});
    else if (name == "hash")
        pieces_.push_back({kind::hash, {}, 0});
    else if (name == "position")
        pieces_.push_back({kind::position, {}, 0});
    else if (name == "count")
        pieces_.push_back({kind::count, {}, 0});
    else if (name == "ext")
        add_literal(extension_of(how));
    else if (name.starts_with('/')) {
        pieces_.push_back({kind::field, {}, pointers_.size()});
        pointers_.emplace_back(name);
        if (pointers_.size() > 8) return "has more than 8 JSON Pointers";
    } else {
        return unknown_placeholder(name);
    }
    return {};
}

key_template::parsed key_template::parse(std::string_view text, packing how) {
    parsed out;
    if (text.empty()) out.fault = "must not be empty";
    if (text.size() > longest_template)
        out.fault = "is longer than " + std::to_string(longest_template) + " bytes";
    while (!text.empty() && out.fault.empty()) {
        if (text.front() == '{') {
            const auto end = text.find('}');
            if (end == text.npos) {
                out.fault = "has a { without its }";
                break;
            }
            out.fault = out.what.add_placeholder(text.substr(1, end - 1), how);
            text.remove_prefix(end + 1);
        } else if (is_literal(text.front())) {
            out.what.add_literal(text.substr(0, 1));
            text.remove_prefix(1);
        } else {
            out.fault = text.front() == '}' ? "has a } without its {"
                                            : "may hold ASCII letters, digits, -_.=/ and placeholders only";
        }
    }
    if (out.fault.empty()) out.fault = out.what.check(how);
    return out;
}

std::string key_template::check(packing how) const {
    if (!tells_repeated_ids_apart() && !(uses(kind::first) && uses(kind::last)))
        return "must name {hash}, {position}, or {first} and {last}: otherwise objects would overwrite one "
               "another";
    for (std::size_t i = 1; i < pieces_.size(); ++i)
        if (pieces_[i].what == kind::prefix) return "may have {prefix} at its beginning only";
    if (pieces_.front().what == kind::prefix &&
        (pieces_.size() == 1 || pieces_[1].what != kind::literal || !pieces_[1].text.starts_with('/')))
        return "must go on with a slash behind {prefix}";

    // As the key will look, with a letter for whatever is put in.
    std::string shape;
    for (const auto& p : pieces_) shape += p.what == kind::literal ? p.text : "x";
    if (shape.starts_with('/') || shape.ends_with('/')) return "must neither begin nor end with a slash";
    for (std::size_t at = 0; at <= shape.size();) {
        const auto end = std::min(shape.find('/', at), shape.size());
        const auto part = shape.substr(at, end - at);
        if (part.empty()) return "has an empty part: //";
        if (part == "." || part == "..") return "has a part that is only dots";
        at = end + 1;
    }
    const bool gz = shape.ends_with(".gz");
    const bool zst = shape.ends_with(".zst");
    if (gz != (how == packing::gzip) || zst != (how == packing::zstd))
        return "must end in " + std::string(extension_of(how)) + " or {ext}: readers go by the ending";
    return {};
}

bool key_template::uses(kind what) const noexcept {
    return std::ranges::any_of(pieces_, [what](const piece& p) { return p.what == what; });
}

std::string key_template::partition(const partition_values& of) const {
    std::string out;
    const civil when(of.at_ms);
    for (const auto& p : pieces_) {
        switch (p.what) {
            case kind::literal: out += p.text; break;
            case kind::prefix: out += mark_prefix; break;
            case kind::flow: out += storage::escape_component(of.flow.empty() ? no_value : of.flow); break;
            case kind::year: out += padded(int(when.date.year()), 4); break;
            case kind::month: out += padded(unsigned(when.date.month()), 2); break;
            case kind::day: out += padded(unsigned(when.date.day()), 2); break;
            case kind::hour: out += padded(when.time.hours().count(), 2); break;
            case kind::minute: out += padded(when.time.minutes().count(), 2); break;
            case kind::field: out += storage::escape_component(of.fields[p.field]); break;
            case kind::first: out += mark_first; break;
            case kind::last: out += mark_last; break;
            case kind::hash: out += mark_hash; break;
            case kind::position: out += mark_position; break;
            case kind::count: out += mark_count; break;
        }
    }
    return out;
}

std::string key_template::overflow_partition() const {
    std::string out;
    for (const auto& p : pieces_) {
        switch (p.what) {
            case kind::literal: out += p.text; break;
            case kind::prefix: out += mark_prefix; break;
            case kind::flow:
            case kind::field: out += overflow_value; break;
            case kind::year: out += "0000"; break;
            case kind::month:
            case kind::day:
            case kind::hour:
            case kind::minute: out += "00"; break;
            case kind::first: out += mark_first; break;
            case kind::last: out += mark_last; break;
            case kind::hash: out += mark_hash; break;
            case kind::position: out += mark_position; break;
            case kind::count: out += mark_count; break;
        }
    }
    return out;
}

std::string key_template::finish(std::string_view partition, const object_name& name) const {
    std::string out;
    for (const char c : partition) {
        switch (c) {
            case mark_first: out += shortened_id(name.first); break;
            case mark_last: out += shortened_id(name.last); break;
            case mark_hash: out += name.hash; break;
            case mark_position: out += name.position; break;
            case mark_count: out += std::to_string(name.count); break;
            default: out.push_back(c); break;
        }
    }
    std::string_view ending;
    if (pieces_.back().what == kind::literal) {
        const std::string_view text = pieces_.back().text;
        if (const auto dot = text.find('.'); dot != text.npos) ending = text.substr(dot);
    }
    return bounded_components(out, ending);
}

std::string key_template::with_prefix(std::string_view finished, std::string_view prefix) {
    if (finished.empty() || finished.front() != mark_prefix) return std::string(finished);
    auto out = storage::normalize_prefix(prefix);
    out.append(finished.substr(out.empty() ? 2 : 1));
    return out;
}

std::optional<std::int64_t> event_time_of(std::int64_t number) noexcept {
    constexpr std::int64_t seconds_end_here = 100'000'000'000;  // in milliseconds that is March 1973
    if (number > -seconds_end_here && number < seconds_end_here) number *= 1000;
    return in_range(number);
}

std::optional<std::int64_t> parse_event_time(std::string_view text) noexcept {
    using namespace std::chrono;
    if (is_number(text) && text.size() <= 18) {
        std::int64_t number = 0;
        std::from_chars(text.data(), text.data() + text.size(), number);
        return event_time_of(number);
    }
    // 2026-03-02T17:46:58.971+01:00
    const auto y = digits(text, 0, 4);
    const auto mo = digits(text, 5, 2);
    const auto d = digits(text, 8, 2);
    const auto h = digits(text, 11, 2);
    const auto mi = digits(text, 14, 2);
    const auto s = digits(text, 17, 2);
    if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
    const bool marks = text[4] == '-' && text[7] == '-' && text[13] == ':' && text[16] == ':' &&
                       (text[10] == 'T' || text[10] == 't' || text[10] == ' ');
    const year_month_day date{year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d))};
    if (!marks || !date.ok() || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
    std::size_t at = 19;
    std::int64_t ms = 0;
    if (at < text.size() && text[at] == '.') {
        std::int64_t unit = 100;
        for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
            ms += (text[at] - '0') * unit;
    }
    std::int64_t offset = 0;  // minutes east of Greenwich
    const auto zone = text.substr(at);
    if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':') {
        const auto hours_east = digits(zone, 1, 2);
        const auto minutes_east = digits(zone, 4, 2);
        if (!hours_east || !minutes_east) return std::nullopt;
        offset = (*hours_east * 60 + *minutes_east) * (zone[0] == '-' ? -1 : 1);
    } else if (zone != "Z" && zone != "z") {
        return std::nullopt;
    }
    const auto days_ms = duration_cast<milliseconds>(sys_days(date).time_since_epoch()).count();
    return in_range(days_ms + ((*h * 60LL + *mi - offset) * 60 + *s) * 1000 + ms);
}

}  // namespace firehose::stages
