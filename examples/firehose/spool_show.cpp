/// firehose spool show: single records, as they are in the files.
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/spool_text.hpp"
#include "pipeline/log.hpp"
#include "storage/file_system.hpp"

#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

std::string safe(std::string_view text) { return escape_for_log(text, 1000); }

void print_record(const stages::kept_record& one, bool with_body) {
    const auto& h = one.header;
    std::string out = fmt::format("{}  {}\n", one.id, one.parked ? "parked" : "waiting");
    const auto line = [&out](std::string_view name, const std::string& value) {
        out += fmt::format("  {:<13} {}\n", name, value);
    };
    line("event", safe(h.event_id));
    line("group", safe(h.group_id));
    line("flow", safe(h.flow_id));
    line("destination", safe(storage::describe(h.to)) + " (" + safe(h.to.type) + ")");
    line("key", safe(h.key));
    line("bytes", std::to_string(one.bytes()));
    line("attempts", std::to_string(h.attempts));
    line("first failed", instant(h.first_failed_at));
    if (!one.parked) line("next attempt", instant(h.next_at));
    line("last error", safe(in_words(h.last_error)));
    for (const auto& note : h.history)
        line(note.attempt == 0 ? "at first" : fmt::format("attempt {}", note.attempt),
             instant(note.at) + "  " + safe(in_words(note.why)));
    if (one.file) line("body file", safe(one.file->path().native()));
    if (with_body && !one.file) line("body", escape_for_log(as_text(one.body), one.body.size() + 1));
    std::fputs(out.c_str(), stdout);
}

}  // namespace

int spool_show_verb(const spool_arguments& args) {
    const auto configured = spool_configuration(args);
    if (!configured) return exit_code::usage;
    storage::system_files files;
    std::size_t shown = 0;
    bool more = false;
    const auto show = [&](const stages::kept_record& one) {
        more = args.limit != 0 && shown == args.limit;
        if (more) return false;
        ++shown;
        if (!args.json) {
            print_record(one, args.body);
            return true;
        }
        auto text = to_json(one);
        if (args.body) add_body(text, one);
        std::printf("%s%s", shown == 1 ? "[" : ",\n", json::serialize(text).c_str());
        return true;
    };
    const auto unreadable = stages::visit_kept(files, configured->data_dir, args.which, show);
    if (args.json) std::puts(shown == 0 ? "[]" : "]");
    if (!unreadable) {
        print_error(unreadable.error().context());
        return exit_code::internal;
    }
    if (!args.json && shown == 0) std::puts("(none)");
    if (more) std::fprintf(stderr, "There are more: --limit 0 shows all.\n");
    if (*unreadable == 0) return exit_code::all_delivered;
    print_error(std::to_string(*unreadable) + " records could not be read: firehose spool verify says more");
    return exit_code::internal;
}

}  // namespace firehose::app
