#include "pipeline/log.hpp"

#include <unistd.h>

#include <array>

namespace firehose {
namespace {

constexpr std::size_t value_limit = 1024;
constexpr std::size_t key_limit = 64;
constexpr std::string_view cut_mark = "...";

struct code_point {
    char32_t value = 0;
    std::size_t length = 0;  // 0: not valid UTF-8 here
};

/// Decodes one code point strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
code_point decode(std::string_view s) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    if (length == 0 || lead > 0xf4 || s.size() < length) return {};
    char32_t value = lead & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return {};
        value = (value << 6U) | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
    return {value, length};
}

/// Ends a line, moves a cursor, or changes the direction of what follows.
bool is_dangerous(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x200e || c == 0x200f || c == 0x061c ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void append_hex(std::string& out, std::string_view prefix, unsigned value, int digits) {
    constexpr std::string_view hex = "0123456789abcdef";
    out.append(prefix);
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out.push_back(hex[(value >> shift) & 0xfU]);
}

std::string escaped_character(char32_t c, std::string_view raw) {
    std::string out;
    switch (c) {
        case '\n': return "\\n";
        case '\r': return "\\r";
        case '\t': return "\\t";
        case '\\': return "\\\\";
        default: break;
    }
    if (!is_dangerous(c)) return std::string(raw);
    if (c < 0x100)
        append_hex(out, "\\x", static_cast<unsigned>(c), 2);
    else
        append_hex(out, "\\u", static_cast<unsigned>(c), 4);
    return out;
}

void append_value(std::string& line, std::string_view value) {
    const std::string safe = escape_for_log(value, value_limit);
    if (!safe.empty() && safe.find_first_of(" =\"") == std::string::npos) {
        line.append(safe);
        return;
    }
    line.push_back('"');
    for (const char c : safe) {
        if (c == '"') line.push_back('\\');
        line.push_back(c);
    }
    line.push_back('"');
}

}  // namespace

std::string_view to_string(log_level level) noexcept {
    switch (level) {
        case log_level::debug: return "debug";
        case log_level::info: return "info";
        case log_level::warning: return "warning";
        case log_level::error: return "error";
    }
    return "unknown";
}

std::string escape_for_log(std::string_view text, std::size_t limit) {
    std::string out;
    while (!text.empty()) {
        const code_point c = decode(text);
        std::string piece;
        if (c.length == 0)
            append_hex(piece, "\\x", static_cast<unsigned char>(text[0]), 2);
        else
            piece = escaped_character(c.value, text.substr(0, c.length));
        if (out.size() + piece.size() > limit) {
            out.append(cut_mark);
            break;
        }
        out.append(piece);
        text.remove_prefix(c.length == 0 ? 1 : c.length);
    }
    return out;
}

void logger::write(log_level level, std::string_view message, std::initializer_list<log_field> fields) const {
    if (!sink_ || level < least_) return;
    std::string line = escape_for_log(message, value_limit);
    for (const log_field& f : fields) {
        line.push_back(' ');
        line.append(escape_for_log(f.key, key_limit));
        line.push_back('=');
        append_value(line, f.value);
    }
    sink_(level, line);
}

logger::sink standard_error_sink() {
    return [](log_level level, std::string_view line) {
        std::string out(to_string(level));
        out.append(" ").append(line).append("\n");
        // One call, so that lines of several shards do not mix; nowhere to report its failure.
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, out.data(), out.size());
    };
}

}  // namespace firehose
