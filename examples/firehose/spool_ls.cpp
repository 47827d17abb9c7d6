/// firehose spool ls: what is kept for later, read from the files, so that it works beside a running process.
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/spool_text.hpp"
#include "pipeline/log.hpp"
#include "storage/file_system.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

json::value instant_or_null(const std::optional<time_source::wall>& when) {
    return when ? json::value(instant(when)) : json::value(nullptr);
}

json::object row_to_json(const stages::backlog& row) {
    json::object out = to_json(row.to);
    out["destination"] = storage::hash(row.to);
    out["records"] = row.records;
    out["bytes"] = row.bytes;
    out["parked"] = row.parked;
    out["oldest"] = instant_or_null(row.oldest);
    out["next_attempt"] = instant_or_null(row.next_at);
    out["per_second"] = std::round(row.drain_rate * 10) / 10;
    out["eta_seconds"] = row.eta() ? json::value(row.eta()->count()) : json::value(nullptr);
    out["last_error"] = in_words(row.last_error);
    out["last_error_code"] = row.last_error.code;
    out["last_error_status"] = row.last_error.status;
    out["last_error_class"] = row.last_error.disposition;
    return out;
}

std::string duration_text(const std::optional<std::chrono::seconds>& of) {
    if (!of) return "-";
    const auto s = of->count();
    if (s < 120) return fmt::format("{} s", s);
    if (s < 7200) return fmt::format("{} min", s / 60);
    return s < 172'800 ? fmt::format("{} h", s / 3600) : fmt::format("{} d", s / 86'400);
}

void print_table(const std::vector<stages::backlog>& rows) {
    const auto line = [](const auto&... cells) {
        std::fputs(fmt::format("{:<40} {:>10} {:>12} {:>8} {:<20} {:<20} {:>7} {}\n", cells...).c_str(),
                   stdout);
    };
    line("destination", "records", "bytes", "parked", "oldest", "next attempt", "eta", "last error");
    for (const auto& row : rows)
        line(escape_for_log(storage::describe(row.to), 200), row.records, row.bytes, row.parked,
             instant(row.oldest), instant(row.next_at), duration_text(row.eta()),
             escape_for_log(in_words(row.last_error), 200));
    if (rows.empty()) std::puts("(empty)");
}

}  // namespace

int spool_ls_verb(const spool_arguments& args) {
    const auto configured = spool_configuration(args);
    if (!configured) return exit_code::usage;
    storage::system_files files;
    const auto rows = stages::inspect(files, configured->data_dir, real_time().wall_now());
    if (!rows) {
        print_error(rows.error().context());
        return exit_code::internal;
    }
    if (configured->sqs)
        std::fprintf(
            stderr,
            "note: the spool is the queue %s. What waits there is not listed: a queue tells how many "
            "messages it has and no more, see firehose validate --live. Listed is what lies in %s.\n",
            escape_for_log(configured->sqs->queue_url).c_str(),
            escape_for_log(configured->data_dir.native()).c_str());
    if (args.json) {
        json::array out;
        for (const auto& row : *rows) out.push_back(row_to_json(row));
        std::printf("%s\n", json::serialize(out).c_str());
    } else {
        print_table(*rows);
    }
    return exit_code::all_delivered;
}

}  // namespace firehose::app
