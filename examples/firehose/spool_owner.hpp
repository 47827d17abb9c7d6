/// Runs something on a spool that this process has to itself for that time.
#pragma once
#include "examples/firehose/console.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/spool_text.hpp"
#include "pipeline/run.hpp"
#include "stages/directory_spool.hpp"

#include <functional>
#include <optional>
#include <string>

namespace firehose::app {

/// What became of it; the exit code when there is an error.
struct owner_outcome {
    std::optional<std::string> problem{};
    int code = exit_code::all_delivered;
};

/// `work` may be left half done only by an error it reports. It is given the locked spool.
class spool_owner {
public:
    using work = std::function<task<owner_outcome>(stages::directory_spool&, context&)>;

    static owner_outcome run(const std::filesystem::path& data_dir, std::string verb, work what) {
        spool_owner owner(data_dir, std::move(verb), std::move(what));
        run_options options;
        options.log = console_log();
        const auto report = firehose::run([&owner](context& x) { return owner.open_and_work(x); }, options);
        if (report.how == ending::failed) owner.outcome_ = {report.what, exit_code::internal};
        if (report.how == ending::cancelled) owner.outcome_ = {"interrupted", exit_code::internal};
        return owner.outcome_;
    }

private:
    spool_owner(std::filesystem::path data_dir, std::string verb, work what)
        : data_dir_(std::move(data_dir)), verb_(std::move(verb)), what_(std::move(what)) {}

    task<> open_and_work(context& x) {
        const stages::directory_spool_options how;
        auto opened = co_await stages::directory_spool::open(x, files_, data_dir_, how);
        if (opened.has_error()) {
            outcome_ = {"spool " + verb_ + " needs the spool to itself: " + opened.error().context(),
                        exit_code::usage};
            co_return;
        }
        auto working = what_(**opened, x);
        outcome_ = co_await std::move(working);
    }

    std::filesystem::path data_dir_;
    std::string verb_;
    work what_;
    storage::system_files files_{};
    owner_outcome outcome_{};
};

}  // namespace firehose::app
