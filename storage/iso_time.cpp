#include "storage/iso_time.hpp"

#include "storage/sigv4.hpp"

#include <algorithm>
#include <chrono>

namespace firehose::storage {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// '#' stands for a digit.
bool has_form(std::string_view text, std::string_view form) {
    return std::ranges::equal(text, form, [](char c, char f) { return f == '#' ? is_digit(c) : c == f; });
}

int number(std::string_view digits) {
    int value = 0;
    for (const char c : digits) value = value * 10 + (c - '0');
    return value;
}

}  // namespace

std::optional<time_source::wall> parse_iso_time(std::string_view text) {
    constexpr std::string_view form = "####-##-##T##:##:##";
    if (!has_form(text.substr(0, form.size()), form)) return std::nullopt;
    auto zone = text.substr(form.size());
    if (zone.starts_with('.')) {
        const auto end = std::ranges::find_if_not(zone.substr(1), is_digit);
        zone.remove_prefix(static_cast<std::size_t>(end - zone.begin()));
    }
    if (zone != "Z" && zone != "+00:00") return std::nullopt;
    using namespace std::chrono;
    const year_month_day date(year(number(text.substr(0, 4))),
                              month(static_cast<unsigned>(number(text.substr(5, 2)))),
                              day(static_cast<unsigned>(number(text.substr(8, 2)))));
    const int hour = number(text.substr(11, 2));
    const int minute = number(text.substr(14, 2));
    const int second = number(text.substr(17, 2));
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
}

std::string to_iso_time(time_source::wall when) {
    std::string out = sigv4::format_stamp(when);  // 20260101T000000Z
    for (const std::size_t colon : {13U, 11U}) out.insert(colon, 1, ':');
    for (const std::size_t dash : {6U, 4U}) out.insert(dash, 1, '-');
    return out;
}

}  // namespace firehose::storage
