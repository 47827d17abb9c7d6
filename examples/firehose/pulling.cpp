#include "examples/firehose/pulling.hpp"

#include "http/client.hpp"
#include "pipeline/compose.hpp"
#include "pipeline/scope.hpp"

namespace firehose::app {
namespace {

task<> pull_stream(context& x, stages::ingest_stream::options how, storage::file_system& files,
                   stages::append_to_log::append_function append) {
    const auto name = how.name;
    stages::ingest_stream source(files, std::move(how));
    const auto outcome = source.outcome();
    auto pipeline = chain(std::move(source), stages::append_to_log(std::move(append)));
    co_await pipeline.run(x);
    const bool wrong = report_stream(x.log, name, *outcome);
    if (wrong && !x.stop.draining())
        x.log.error("nothing is pulled from it until the server is started again", {{"source", name}});
}

}  // namespace

task<> pull_streams(context& x, const configuration& how, storage::file_system& files,
                    stages::append_to_log::append_function append) {
    return with_scope(x.ex, [&x, &how, &files, append = std::move(append)](task_scope& s) {
        for (const auto& which : how.streams) s.spawn(pull_stream(x, which.of_serve(), files, append));
    });
}

task<std::string> ask_stream(context& x, const pull_settings& which, storage::file_system& files) {
    const auto& how = which.common;
    http::client http(x, how.http);
    const auto connect = http.transports();
    const storage::provider_parts parts{x, connect, storage::machine_without_variables()};
    auto token =
        stages::make_pull_token(how.with, parts, files, how.directory, "the token of source " + how.name);
    stages::pull_client client(x, connect(how.at.to, nullptr), std::move(token), how.at, how.timeout);
    const std::string position(stages::top_position);
    const auto page = co_await client.get(position, 1);
    co_return page.has_value() ? std::string() : page.error().context();
}

bool report_stream(const logger& log, const std::string& name, const stages::ingest_stream::report& what) {
    log.info("a stream was pulled", {{"source", name},
                                     {"events", what.events},
                                     {"repeats", what.repeats},
                                     {"pages", what.pages},
                                     {"gaps", what.gaps},
                                     {"position", what.durable}});
    if (!what.failure.empty())
        log.error("a stream ended before its top", {{"source", name}, {"reason", what.failure}});
    if (what.lost)
        log.error("some events could be neither delivered nor kept; they are pulled again by the next run",
                  {{"source", name}});
    return !what.failure.empty() || what.lost;
}

}  // namespace firehose::app
