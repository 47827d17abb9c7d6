/// firehose validate: every fault at once; with --live, every destination is asked too.
#include "examples/firehose/console.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/pulling.hpp"
#include "examples/firehose/this_machine.hpp"
#include "examples/firehose/verbs.hpp"
#include "http/client.hpp"
#include "pipeline/run.hpp"
#include "storage/credential_sources.hpp"
#include "storage/sqs_queue.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <cstdio>
#include <optional>
#include <set>

namespace firehose::app {
namespace json = boost::json;
namespace {

struct answer {
    storage::destination to{};
    std::string problem{};  ///< empty: the destination answers
    std::string note{};
};

/// A credential that was asked for, and what it said.
struct credential_report {
    std::string id{};
    std::string from{};
    std::optional<std::chrono::seconds> expires_in{};
};

struct live_report {
    std::vector<answer> answers{};
    std::vector<credential_report> credentials{};
};

std::set<storage::destination> destinations_of(const configuration& how) {
    std::set<storage::destination> all;
    auto add = [&all](const stages::target_list& targets) {
        if (!targets) return;
        for (const auto& t : *targets) all.insert(t.to);
    };
    for (const auto& [flow, targets] : how.routing.flows) add(targets);
    add(how.routing.otherwise);
    return all;
}

/// Asks without writing: a page of the listing where there is one, else for an object that is not there.
task<std::string> ask(storage::store& store, context& x) {
    const auto until = x.time.now() + std::chrono::seconds(30);
    const std::string key = "firehose-validate-no-such-object";
    if (store.can().list) {
        const std::string from;
        const auto listed = co_await store.list(key, from, until);
        co_return listed ? std::string() : listed.error().context();
    }
    const auto found = co_await store.head(key, until);
    const bool answers = found || found.error().what() == disposition::park;
    co_return answers ? std::string() : found.error().context();
}

/// Also says what is in it, which nothing else can.
task<answer> ask_queue(context& x, const configuration& how, storage::credential_sources& sources,
                       const std::string& url) {
    const auto options = stages::sqs_client_options(how.http, how.sqs->how);
    http::client http(x, options);
    const auto& with = how.credentials.at(how.sqs->credential_id);
    const auto at = storage::locate_sqs(with, url).value();
    storage::sqs_options signed_by;
    signed_by.keys = sources.get(with).value();
    storage::sqs_queue queue(x, http.transports(), with, at, signed_by);
    const auto about = co_await queue.attributes(x.time.now() + std::chrono::seconds(30));
    answer out;
    out.to.service = "spool";
    out.to.bucket = at.name;
    if (about)
        out.note = std::to_string(about->visible) + " records waiting, " + std::to_string(about->delayed) +
                   " not yet due, " + std::to_string(about->in_flight) + " being delivered";
    else
        out.problem = about.error().context();
    co_return out;
}

task<> ask_spool(context& x, const configuration& how, storage::credential_sources& sources,
                 std::vector<answer>& answers) {
    if (!how.sqs) co_return;
    auto queue = co_await ask_queue(x, how, sources, how.sqs->queue_url);
    answers.push_back(std::move(queue));
    if (how.sqs->dead_letter_queue_url.empty()) co_return;
    auto dead = co_await ask_queue(x, how, sources, how.sqs->dead_letter_queue_url);
    answers.push_back(std::move(dead));
}

task<> ask_streams(context& x, const configuration& how, std::vector<answer>& answers) {
    storage::system_files files;
    for (const auto& which : how.streams) {
        answer out;
        out.to.service = "source";
        out.to.bucket = which.common.name;
        out.problem = co_await ask_stream(x, which, files);
        answers.push_back(std::move(out));
    }
}

task<> ask_all(context& x, const configuration& how, const storage::registry& stores, live_report& report) {
    auto& answers = report.answers;
    http::client http(x, how.http);
    storage::credential_sources sources({x, http.transports(), this_machine()});
    storage::store_environment environment{x, http, how.base_directory};
    environment.credentials = &sources;
    environment.settings = [&how](const storage::destination& to) {
        return storage::find_settings(how.destinations, to);
    };
    for (const auto& to : destinations_of(how)) {
        const auto with = how.credentials.find(to.credential_id);
        const auto* credential = with == how.credentials.end() ? nullptr : &with->second;
        auto made = stores.find(to.type)->make(to, credential, environment);
        if (!made) {
            answers.push_back({to, made.error().context(), {}});
            continue;
        }
        auto problem = co_await ask(**made, x);
        answers.push_back({to, std::move(problem), {}});
    }
    co_await ask_spool(x, how, sources, answers);
    co_await ask_streams(x, how, answers);
    for (const auto& [id, source] : sources.all())
        report.credentials.push_back({id, source->describe(), source->expires_in()});
}

std::string verdict_of(const answer& a) {
    if (!a.problem.empty()) return a.problem;
    return a.note.empty() ? "answers" : "answers: " + a.note;
}

json::array to_json(const std::vector<fault>& faults) {
    json::array out;
    for (const auto& f : faults) out.push_back({{"pointer", f.pointer}, {"message", f.message}});
    return out;
}

json::array to_json(const std::vector<credential_report>& credentials) {
    json::array out;
    for (const auto& c : credentials) {
        json::value lasts;
        if (c.expires_in) lasts = c.expires_in->count();
        out.push_back({{"id", c.id}, {"from", c.from}, {"expires_in_s", lasts}});
    }
    return out;
}

}  // namespace

int validate_verb(const validate_arguments& args) {
    const auto stores = storage::default_registry();
    const auto configured = load_configuration(args.config, args.overrides, stores);
    live_report asked;
    auto& answers = asked.answers;
    if (args.live && configured.faults.empty()) {
        const auto report =
            firehose::run([&](context& x) { return ask_all(x, configured.what, stores, asked); }, {});
        if (report.how != ending::finished) answers.push_back({{}, "interrupted: " + report.what, {}});
    }
    bool good = configured.faults.empty();
    for (const auto& a : answers) good = good && a.problem.empty();

    if (args.json) {
        json::object out{{"valid", good},
                         {"faults", to_json(configured.faults)},
                         {"warnings", to_json(configured.warnings)}};
        json::array live;
        for (const auto& a : answers)
            live.push_back({{"destination", storage::describe(a.to)},
                            {"answers", a.problem.empty()},
                            {"message", a.problem.empty() ? a.note : a.problem}});
        if (args.live) {
            out["live"] = std::move(live);
            out["credentials"] = to_json(asked.credentials);
        }
        std::printf("%s\n", json::serialize(out).c_str());
    } else {
        print_faults(args.config, configured);
        for (const auto& a : answers)
            std::printf("%s: %s\n", escape_for_log(storage::describe(a.to)).c_str(),
                        escape_for_log(verdict_of(a)).c_str());
        for (const auto& c : asked.credentials)
            std::printf(
                "credential %s: from %s%s\n", escape_for_log(c.id).c_str(), escape_for_log(c.from).c_str(),
                c.expires_in ? (", expires in " + std::to_string(c.expires_in->count()) + " s").c_str() : "");
        if (good) std::printf("%s: valid\n", args.config.c_str());
    }
    return good ? exit_code::all_delivered : exit_code::usage;
}

}  // namespace firehose::app
