/// firehose spool ls: what is kept for later, read from the files, so that it works beside a running process.
#include "examples/firehose/console.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/verbs.hpp"
#include "stages/directory_spool.hpp"
#include "storage/file_system.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

std::string instant(const std::optional<time_source::wall>& when) {
    if (!when) return "-";
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(*when)));
}

json::value instant_or_null(const std::optional<time_source::wall>& when) {
    return when ? json::value(instant(when)) : json::value(nullptr);
}

json::object to_json(const stages::backlog& row) {
    return {{"service", row.to.service},
            {"type", row.to.type},
            {"bucket", row.to.bucket},
            {"prefix", row.to.prefix},
            {"credential_id", row.to.credential_id},
            {"records", row.records},
            {"bytes", row.bytes},
            {"parked", row.parked},
            {"oldest", instant_or_null(row.oldest)},
            {"next_attempt", instant_or_null(row.next_at)},
            {"last_error", row.last_error.message}};
}

void print_table(const std::vector<stages::backlog>& rows) {
    const auto line = [](const auto&... cells) {
        std::fputs(fmt::format("{:<40} {:>10} {:>12} {:>8} {:<20} {:<20} {}\n", cells...).c_str(), stdout);
    };
    line("destination", "records", "bytes", "parked", "oldest", "next attempt", "last error");
    for (const auto& row : rows)
        line(escape_for_log(storage::describe(row.to), 200), row.records, row.bytes, row.parked,
             instant(row.oldest), instant(row.next_at), escape_for_log(row.last_error.message, 200));
    if (rows.empty()) std::puts("(empty)");
}

}  // namespace

int spool_ls_verb(const spool_ls_arguments& args) {
    const auto stores = storage::default_registry();
    const auto configured = load_configuration(args.config, args.overrides, stores, secrets::not_needed);
    if (!print_faults(args.config, configured)) return exit_code::usage;
    storage::system_files files;
    const auto rows = stages::inspect(files, configured.what.data_dir);
    if (!rows) {
        std::fprintf(stderr, "error: %s\n", escape_for_log(rows.error().context()).c_str());
        return exit_code::internal;
    }
    if (configured.what.sqs)
        std::fprintf(
            stderr,
            "note: the spool is the queue %s. What waits there is not listed: a queue tells how many "
            "messages it has and no more, see firehose validate --live. Listed is what lies in %s.\n",
            escape_for_log(configured.what.sqs->queue_url).c_str(),
            escape_for_log(configured.what.data_dir.native()).c_str());
    if (args.json) {
        json::array out;
        for (const auto& row : *rows) out.push_back(to_json(row));
        std::printf("%s\n", json::serialize(out).c_str());
    } else {
        print_table(*rows);
    }
    return exit_code::all_delivered;
}

}  // namespace firehose::app
