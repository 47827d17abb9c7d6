/// firehose spool verify: reads every record and compares its checksum.
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/spool_text.hpp"
#include "pipeline/log.hpp"
#include "storage/file_system.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

json::object check_to_json(const stages::spool_check& one) {
    json::object out = to_json(one.to);
    out["parked"] = one.parked;
    out["intact"] = one.intact;
    out["undelivered"] = one.undelivered;
    out["damaged_ranges"] = one.damaged_ranges;
    out["damaged_bytes"] = one.damaged_bytes;
    out["quarantined_files"] = one.quarantined_files;
    out["quarantined_bytes"] = one.quarantined_bytes;
    out["unreadable_files"] = one.unreadable_files;
    out["newer_files"] = one.newer_files;
    out["damaged_bodies"] = one.damaged_bodies;
    return out;
}

void print_checks(const std::vector<stages::spool_check>& all) {
    const auto line = [](const auto&... cells) {
        std::fputs(fmt::format("{:<48} {:>10} {:>11} {:>9} {:>13} {:>12}\n", cells...).c_str(), stdout);
    };
    line("destination", "intact", "undelivered", "damaged", "damaged bytes", "quarantined");
    for (const auto& one : all)
        line(escape_for_log(storage::describe(one.to), 200) + (one.parked ? " (parked)" : ""), one.intact,
             one.undelivered, one.damaged_ranges + one.damaged_bodies, one.damaged_bytes,
             one.quarantined_files);
    if (all.empty()) std::puts("(empty)");
}

}  // namespace

int spool_verify_verb(const spool_arguments& args) {
    const auto configured = spool_configuration(args);
    if (!configured) return exit_code::usage;
    storage::system_files files;
    const auto all = stages::verify_spool(files, configured->data_dir);
    if (!all) {
        print_error(all.error().context());
        return exit_code::internal;
    }
    bool good = true;
    for (const auto& one : *all) {
        good = good && one.good();
        for (const auto& note : one.notes) std::fprintf(stderr, "%s\n", escape_for_log(note, 1000).c_str());
    }
    if (args.json) {
        json::array out;
        for (const auto& one : *all) out.push_back(check_to_json(one));
        std::printf("%s\n", json::serialize(out).c_str());
    } else {
        print_checks(*all);
    }
    return good ? exit_code::all_delivered : exit_code::internal;
}

}  // namespace firehose::app
