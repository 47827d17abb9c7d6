#include "examples/firehose/console.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <unistd.h>

namespace firehose::app {
namespace {

bool on_terminal() { return ::isatty(STDERR_FILENO) == 1; }

std::string progress_text(const stages::account& books, double per_second) {
    auto text = "accepted " + std::to_string(books.accepted()) + " (" +
                std::to_string(std::uint64_t(per_second)) + "/s)";
    if (books.refused()) text += ", refused " + std::to_string(books.refused());
    for (const auto& [service, row] : books.targets()) {
        text += " | " + service + ": delivered " + std::to_string(row.delivered) + ", in flight " +
                std::to_string(row.in_flight);
        if (row.spooled) text += ", spooled " + std::to_string(row.spooled);
        if (row.parked) text += ", parked " + std::to_string(row.parked);
    }
    return escape_for_log(text);
}

}  // namespace

logger console_log() {
    auto to =
        std::make_shared<spdlog::logger>("firehose", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    to->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
    to->set_level(spdlog::level::debug);
    return logger([to](log_level level, std::string_view line) {
        const auto as = level == log_level::debug     ? spdlog::level::debug
                        : level == log_level::info    ? spdlog::level::info
                        : level == log_level::warning ? spdlog::level::warn
                                                      : spdlog::level::err;
        clear_progress();
        to->log(as, spdlog::string_view_t(line.data(), line.size()));
    });
}

bool print_faults(const std::string& file, const loaded& configuration) {
    auto print = [&](std::string_view kind, const fault& f) {
        const auto line = escape_for_log(to_text(file, f), 4096);
        std::fprintf(stderr, "%.*s: %s\n", int(kind.size()), kind.data(), line.c_str());
    };
    for (const auto& f : configuration.warnings) print("warning", f);
    for (const auto& f : configuration.faults) print("error", f);
    return configuration.faults.empty();
}

task<> show_progress(context& x, std::function<stages::account()> books) {
    const bool terminal = on_terminal();
    const auto pause = terminal ? std::chrono::milliseconds(500) : std::chrono::milliseconds(10'000);
    std::uint64_t before = 0;
    for (auto next = x.time.now() + pause;; next += pause) {
        co_await x.time.sleep_until(next);
        const auto now = books();
        const auto gained = double(now.accepted() - before);
        before = now.accepted();
        const auto text = progress_text(now, gained / std::chrono::duration<double>(pause).count());
        if (terminal)
            std::fprintf(stderr, "\r\033[K%s", text.c_str());
        else
            x.log.info(text);
    }
}

void clear_progress() {
    if (on_terminal()) std::fputs("\r\033[K", stderr);
}

}  // namespace firehose::app
