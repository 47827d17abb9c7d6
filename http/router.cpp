#include "http/router.hpp"

#include "http/url.hpp"

#include <algorithm>
#include <stdexcept>

namespace firehose::http {
namespace {

constexpr std::size_t longest_parameter = 256;
constexpr std::size_t most_segments = 64;

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> out;
    path.remove_prefix(1);
    for (;;) {
        const auto slash = path.find('/');
        out.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return out;
        path.remove_prefix(slash + 1);
    }
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool well_escaped(std::string_view text) {
    for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1))
        if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    return true;
}

bool is_printable(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

bool is_below(std::string_view path, std::string_view prefix) {
    if (!path.starts_with(prefix)) return false;
    return path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/';
}

}  // namespace

router::router() { forms_.emplace_back("", error_writer(plain_error)); }

std::vector<router::segment> router::parse(const std::string& pattern) {
    if (pattern.empty() || pattern.front() != '/') throw std::invalid_argument("no path: " + pattern);
    std::vector<segment> out;
    for (const auto part : split(pattern)) {
        segment s;
        s.name = part;
        if (part.starts_with('{')) {
            if (!part.ends_with('}')) throw std::invalid_argument("unclosed parameter: " + pattern);
            const auto inside = part.substr(1, part.size() - 2);
            const auto colon = std::min(inside.find(':'), inside.size());
            const auto type = inside.substr(std::min(colon + 1, inside.size()));
            s.name = inside.substr(0, colon);
            if (type.empty())
                s.what = kind::text;
            else if (type == "id")
                s.what = kind::id;
            else if (type == "number")
                s.what = kind::number;
            else if (type == "word")
                s.what = kind::word;
            else
                throw std::invalid_argument("unknown type of parameter: " + pattern);
        }
        out.push_back(std::move(s));
    }
    return out;
}

void router::add(route r) {
    entry made;
    made.segments = parse(r.pattern);
    made.what = std::move(r);
    for (const auto& e : entries_)
        if (e.what.method == made.what.method && e.what.pattern == made.what.pattern)
            throw std::invalid_argument("added twice: " + made.what.method + " " + made.what.pattern);
    // Segment by segment, a literal comes before a parameter.
    const auto before = [](const entry& a, const entry& b) {
        return std::ranges::lexicographical_compare(a.segments, b.segments, {}, &segment::what,
                                                    &segment::what);
    };
    entries_.insert(std::ranges::upper_bound(entries_, made, before), std::move(made));
}

void router::set_errors(std::string prefix, error_writer form) {
    const auto longer = [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); };
    std::pair<std::string, error_writer> made(std::move(prefix), std::move(form));
    forms_.insert(std::ranges::lower_bound(forms_, made, longer), std::move(made));
}

const error_writer& router::errors_for(std::string_view path) const {
    const auto decoded = decode_percent(path);
    for (const auto& [prefix, form] : forms_)
        if (is_below(decoded, prefix)) return form;
    return forms_.back().second;
}

std::vector<const route*> router::all() const {
    std::vector<const route*> out;
    for (const auto& e : entries_) out.push_back(&e.what);
    return out;
}

bool router::fits(const segment& s, std::string_view decoded) {
    if (s.what == kind::literal) return decoded == s.name;
    if (decoded.empty() || decoded.size() > longest_parameter) return false;
    if (decoded == "." || decoded == "..") return false;  // a client or a proxy may resolve them
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    switch (s.what) {
        case kind::id: return decoded.size() == 24 && std::ranges::all_of(decoded, is_hex);
        case kind::number: return decoded.size() <= 18 && std::ranges::all_of(decoded, digit);
        case kind::word:
            return std::ranges::all_of(
                decoded, [&](char c) { return digit(c) || (c >= 'a' && c <= 'z') || c == '_'; });
        default: return is_printable(decoded);
    }
}

bool router::matches(const entry& e, const std::vector<std::string>& path) const {
    return std::ranges::equal(e.segments, path,
                              [](const segment& s, const std::string& part) { return fits(s, part); });
}

route_match router::find(std::string_view method, std::string_view path) const {
    route_match out;
    out.errors = &errors_for(path);
    if (path.empty() || path.front() != '/') {
        out.why = refusal(404, "incorrect_path", "there is nothing at this path");
        return out;
    }
    if (!well_escaped(path)) {
        out.why = refusal(400, "bad_request", "the path holds a malformed escape");
        return out;
    }
    const auto parts = split(path);
    std::vector<std::string> decoded;
    if (parts.size() <= most_segments)
        for (const auto part : parts) decoded.push_back(decode_percent(part));

    std::vector<std::string> allowed;
    for (const auto& e : entries_) {
        if (!matches(e, decoded)) continue;
        const bool same = e.what.method == method || (method == "HEAD" && e.what.method == "GET");
        if (same && !out.found) {
            out.found = &e.what;
            for (std::size_t i = 0; i < decoded.size(); ++i)
                if (e.segments[i].what != kind::literal)
                    out.parameters.emplace_back(e.segments[i].name, std::move(decoded[i]));
            return out;
        }
        allowed.push_back(e.what.method);
        if (e.what.method == "GET") allowed.emplace_back("HEAD");
    }
    if (allowed.empty()) {
        out.why = refusal(404, "incorrect_path", "there is nothing at this path");
        return out;
    }
    std::ranges::sort(allowed);
    const auto doubles = std::ranges::unique(allowed);
    allowed.erase(doubles.begin(), doubles.end());
    std::string list;
    for (const auto& one : allowed) list.append(list.empty() ? "" : ", ").append(one);
    out.why = refusal(405, "method_not_allowed", "this path takes " + list);
    out.why->headers.emplace_back("Allow", std::move(list));
    return out;
}

}  // namespace firehose::http
