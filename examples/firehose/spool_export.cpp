/// firehose spool export: headers and bodies out of the spool, for other tools.
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/spool_text.hpp"
#include "storage/file_system.hpp"
#include "storage/object_key.hpp"

#include <boost/json/serialize.hpp>

#include <cstdio>
#include <string>

namespace firehose::app {
namespace json = boost::json;
namespace {

/// Where the records go. A failure ends the export and is told at its end.
class destination_of_export {
public:
    explicit destination_of_export(std::string directory) : directory_(std::move(directory)) {}

    result<> begin() {
        if (directory_.empty()) return {};
        auto made = storage::make_directories(files_, directory_);
        if (made.has_error()) return made;
        const auto names = files_.list(directory_);
        if (names.has_error()) return names.error();
        if (!names->empty())
            return error(disposition::stop, directory_.native() + " is not empty: name a new directory");
        made = storage::make_directories(files_, directory_, "bodies");
        if (made.has_error()) return made;
        auto opened = files_.open(directory_ / "records.ndjson", storage::open_how::create_new);
        if (opened.has_error()) return opened.error();
        list_ = std::move(*opened);
        return {};
    }

    result<> put(const stages::kept_record& one) {
        auto header = to_json(one);
        if (!list_ && one.file)
            return error(disposition::stop, "record " + one.id + " has a body of " +
                                                std::to_string(one.bytes()) +
                                                " bytes in a file: export to a directory with --output");
        if (!list_) {
            add_body(header, one);
            std::printf("%s\n", json::serialize(header).c_str());
            return {};
        }
        const auto name = "bodies/" + storage::escape_component(one.id);
        header["file"] = name;
        auto done = put_body(one, directory_ / name);
        if (done.has_error() && one.file && done.error().what() == disposition::park)
            (void)files_.remove(directory_ / name);
        if (done.has_error()) return done;
        const std::string line = json::serialize(header) + "\n";
        const bytes_view part = as_bytes(line);
        done = storage::write_fully(*list_, std::span(&part, 1), size_);
        size_ += line.size();
        return done;
    }

    /// Afterwards the records may be purged.
    result<> end() {
        if (!list_) {
            const bool bad = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
            if (bad) return error(disposition::retry, "standard output could not be written");
            return {};
        }
        auto done = list_->sync();
        if (done.has_value()) done = files_.sync_directory(directory_ / "bodies");
        if (done.has_value()) done = files_.sync_directory(directory_);
        return done;
    }

private:
    result<> put_body(const stages::kept_record& one, const std::filesystem::path& path) {
        auto opened = files_.open(path, storage::open_how::create_new);
        if (opened.has_error()) return opened.error();
        std::uint64_t at = 0;
        const auto add = [&](bytes_view some) {
            auto done = storage::write_fully(**opened, std::span(&some, 1), at);
            at += some.size();
            return done;
        };
        auto done = one.file ? storage::read_in_steps(*one.file, add) : add(one.body);
        return done.has_error() ? done : (*opened)->sync();
    }

    std::filesystem::path directory_;
    storage::system_files files_{};
    std::unique_ptr<storage::file> list_{};
    std::uint64_t size_ = 0;
};

}  // namespace

int spool_export_verb(const spool_arguments& args) {
    const auto configured = spool_configuration(args);
    if (!configured) return exit_code::usage;
    destination_of_export to(args.output);
    auto done = to.begin();
    if (!done) {
        print_error(done.error().context());
        return exit_code::usage;
    }
    storage::system_files files;
    kept_shares exported;
    std::uint64_t unreadable_bodies = 0;
    const auto put = [&](const stages::kept_record& one) {
        done = to.put(one);
        if (done) count(exported, one);
        const bool damaged = !done && one.file && done.error().what() == disposition::park;
        if (!damaged) return done.has_value();
        print_error(done.error().context());
        ++unreadable_bodies;
        done = {};
        return true;
    };
    auto unreadable = stages::visit_kept(files, configured->data_dir, args.which, put);
    if (done) done = to.end();
    if (unreadable.has_error())
        done = unreadable.error();
    else
        *unreadable += unreadable_bodies;
    if (!done) {
        print_error("the export is not complete: " + done.error().context());
        return exit_code::internal;
    }
    const auto total = sum(exported);
    if (!args.output.empty() && args.json) {
        auto said = to_json(total);
        said["unreadable"] = *unreadable;
        std::printf("%s\n", json::serialize(said).c_str());
    } else {
        std::fprintf(stderr, "exported %s records\n%s", std::to_string(total.waiting + total.parked).c_str(),
                     to_text(exported).c_str());
    }
    if (*unreadable == 0) return exit_code::all_delivered;
    print_error(std::to_string(*unreadable) + " records could not be read: firehose spool verify says more");
    return exit_code::internal;
}

}  // namespace firehose::app
