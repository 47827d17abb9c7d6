#include "http/date.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace firehose::http {

namespace {

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::optional<int> number(std::string_view digits) {
    int value = 0;
    const auto end = digits.data() + digits.size();
    const auto [stop, problem] = std::from_chars(digits.data(), end, value);
    if (problem != std::errc{} || stop != end || value < 0) return std::nullopt;
    return value;
}

}  // namespace

std::optional<time_source::wall> parse_date(std::string_view text) {
    // "Sun, 06 Nov 1994 08:49:37 GMT": fixed columns.
    if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
    if (text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':')
        return std::nullopt;
    const auto month = std::ranges::find(months, text.substr(8, 3));
    const auto day = number(text.substr(5, 2));
    const auto year = number(text.substr(12, 4));
    const auto hour = number(text.substr(17, 2));
    const auto minute = number(text.substr(20, 2));
    const auto second = number(text.substr(23, 2));
    if (month == months.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
    if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    const std::chrono::year_month_day date(
        std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1),
        std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

std::string format_date(time_source::wall when) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
    const auto midnight = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(midnight);
    const std::chrono::hh_mm_ss clock(seconds - midnight);
    const std::chrono::weekday weekday(midnight);
    std::array<char, 64> out;
    const int n = std::snprintf(
        out.data(), out.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", days[weekday.c_encoding()].data(),
        static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1].data(),
        static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
    return {out.data(), static_cast<std::size_t>(n)};
}

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, time_source::wall now) {
    using std::chrono::milliseconds;
    constexpr milliseconds longest = std::chrono::hours(1);
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
        const auto seconds = number(text);
        if (!seconds) return longest;  // more digits than an int holds
        return std::min<milliseconds>(std::chrono::seconds(*seconds), longest);
    }
    const auto when = parse_date(text);
    if (!when) return std::nullopt;
    return std::clamp(std::chrono::ceil<milliseconds>(*when - now), milliseconds(0), longest);
}

}  // namespace firehose::http
