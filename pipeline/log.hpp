/// Structured, escaped, bounded log lines; where they go is a function object.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace firehose {

enum class log_level : std::uint8_t { debug, info, warning, error };

std::string_view to_string(log_level level) noexcept;

/// One key and its value; numbers are written as digits.
struct log_field {
    log_field(std::string_view k, std::string_view v) : key(k), value(v) {}
    log_field(std::string_view k, const std::string& v) : key(k), value(v) {}
    log_field(std::string_view k, const char* v) : key(k), value(v) {}
    template <class N> requires std::integral<N>
    log_field(std::string_view k, N v) : key(k), value(std::to_string(v)) {}
    std::string_view key;
    std::string value;
};

/// Writes lines of the form `message key=value key="value with blanks"`. Control characters (C0, C1,
/// DEL, line and paragraph separators, escape sequences) are escaped and every value is cut at a
/// bound, so one call is always one line and hostile input cannot forge another. Never pass a
/// secret or a query string. Copyable; the sink must be callable from every shard.
class logger {
public:
    using sink = std::function<void(log_level, std::string_view line)>;

    /// Discards everything.
    logger() = default;
    explicit logger(sink to, log_level least = log_level::info) : sink_(std::move(to)), least_(least) {}

    void debug(std::string_view message, std::initializer_list<log_field> fields = {}) const {
        write(log_level::debug, message, fields);
    }
    void info(std::string_view message, std::initializer_list<log_field> fields = {}) const {
        write(log_level::info, message, fields);
    }
    void warning(std::string_view message, std::initializer_list<log_field> fields = {}) const {
        write(log_level::warning, message, fields);
    }
    void error(std::string_view message, std::initializer_list<log_field> fields = {}) const {
        write(log_level::error, message, fields);
    }
    void write(log_level level, std::string_view message, std::initializer_list<log_field> fields) const;

private:
    sink sink_;
    log_level least_ = log_level::info;
};

/// `text` with everything that could break out of a line or a terminal made visible, cut at
/// `limit` bytes (a cut is marked). Invalid UTF-8 is escaped byte by byte.
std::string escape_for_log(std::string_view text, std::size_t limit = 1024);

/// A sink that writes `LEVEL line` to standard error with one write(2).
logger::sink standard_error_sink();

}  // namespace firehose
