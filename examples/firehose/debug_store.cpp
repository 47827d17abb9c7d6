/// firehose debug put, head, get, list, rm, multipart: one operation of a real store, and its verdict.
#include "examples/firehose/console.hpp"
#include "examples/firehose/debug.hpp"
#include "examples/firehose/debug_body.hpp"
#include "examples/firehose/debug_lines.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/this_machine.hpp"
#include "http/client.hpp"
#include "pipeline/run.hpp"
#include "storage/azure_store.hpp"
#include "storage/credential_sources.hpp"
#include "storage/multipart_upload.hpp"
#include "storage/s3_store.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

/// What went over the wire, whatever the store made of it.
struct traffic {
    int requests = 0;
    int status = 0;  ///< of the last answer; 0: there was none
    std::string request_id{};
};

class watched final : public http::transport {
public:
    watched(std::shared_ptr<http::transport> below, traffic& into) : below_(std::move(below)), into_(into) {}

    task<result<http::response>> send(http::request& req, time_source::steady deadline) override {
        ++into_.requests;
        into_.status = 0;
        into_.request_id.clear();
        auto answer = co_await below_->send(req, deadline);
        if (!answer.has_value()) co_return answer;
        into_.status = answer->status;
        for (const auto* name : {"x-amz-request-id", "x-ms-request-id"})
            if (const auto* id = http::find_header(answer->headers, name)) into_.request_id = *id;
        co_return answer;
    }

private:
    std::shared_ptr<http::transport> below_;
    traffic& into_;
};

http::transport_factory watch(http::transport_factory below, traffic& into) {
    return [below = std::move(below), &into](const http::authority& to, http::signer* by) {
        return std::make_shared<watched>(below(to, by), into);
    };
}

json::object to_json(const storage::object_info& info) {
    return {{"key", info.key}, {"size", info.size}, {"etag", info.etag}};
}

using operation_result = result<json::object>;

/// Lives on the stack of debug_store(), around the shard.
class one_operation {
public:
    one_operation(const debug_store_arguments& args, const configuration& how) : args_(args), how_(how) {}

    /// What cannot be done without the network.
    result<> prepare();
    task<> run(context& x);
    json::object verdict() const;
    bool done() const { return answer_.has_value(); }

private:
    task<operation_result> carry_out(storage::store& s, context& x);
    task<operation_result> put(storage::store& s);
    task<operation_result> head(storage::store& s);
    task<operation_result> get(storage::store& s);
    task<operation_result> list(storage::store& s);
    task<operation_result> remove(storage::store& s);
    task<operation_result> multipart(storage::store& s, context& x);
    storage::put_options put_how() const;

    const debug_store_arguments& args_;
    const configuration& how_;
    storage::destination to_{};
    const storage::credential* with_ = nullptr;
    storage::store_kind kind_{};
    body_source body_{};
    body_sink out_{};
    traffic traffic_{};
    time_source::steady deadline_{};
    std::chrono::steady_clock::duration took_{};
    operation_result answer_ = error(disposition::stop, "interrupted");
};

result<> one_operation::prepare() {
    const auto found = how_.credentials.find(args_.credential);
    if (found == how_.credentials.end())
        return error(disposition::stop, "credential " + args_.credential + " is not in the configuration");
    with_ = &found->second;
    to_ = {.service = "debug",
           .type = !args_.type.empty()      ? args_.type
                   : with_->type == "token" ? "azure"
                                            : "s3",
           .bucket = args_.bucket,
           .prefix = {},
           .credential_id = args_.credential};
    http::backoff retries;
    retries.attempts = args_.attempts;
    if (to_.type == "s3") {
        kind_ = storage::s3_kind({.retries = retries});
    } else if (to_.type == "azure") {
        kind_ = storage::azure_kind({.retries = retries});
    } else {
        return error(disposition::stop, "--type must be s3 or azure");
    }
    const auto problem = kind_.check(to_, with_);
    if (!problem.empty()) return error(disposition::stop, problem);
    if (args_.operation == "put" || args_.operation == "multipart") return body_.open(args_.body);
    if (args_.operation == "get") return out_.open(args_.out);
    return {};
}

task<> one_operation::run(context& x) {
    const auto began = x.time.now();
    deadline_ = began + std::chrono::seconds(args_.timeout_s);
    http::client http(x, how_.http);
    storage::credential_sources sources({x, http.transports(), this_machine()});
    storage::store_environment env{x, http, how_.base_directory};
    env.credentials = &sources;
    env.settings = [this](const storage::destination& to) {
        return storage::find_settings(how_.destinations, to);
    };
    env.connect = watch(http.transports(), traffic_);
    auto made = kind_.make(to_, with_, env);
    if (!made.has_value()) {
        answer_ = made.error();
        co_return;
    }
    auto answer = co_await carry_out(**made, x);
    answer_ = std::move(answer);
    took_ = x.time.now() - began;
}

task<operation_result> one_operation::carry_out(storage::store& s, context& x) {
    if (args_.operation == "put") co_return co_await put(s);
    if (args_.operation == "head") co_return co_await head(s);
    if (args_.operation == "get") co_return co_await get(s);
    if (args_.operation == "list") co_return co_await list(s);
    if (args_.operation == "rm") co_return co_await remove(s);
    co_return co_await multipart(s, x);
}

storage::put_options one_operation::put_how() const {
    storage::put_options how;
    how.content_type = args_.content_type;
    how.only_if_absent = args_.only_if_absent;
    return how;
}

task<operation_result> one_operation::put(storage::store& s) {
    const storage::payload body{body_.bytes()};
    const auto how = put_how();
    auto stored = co_await s.put(args_.key, body, how, deadline_);
    if (!stored.has_value()) co_return stored.error();
    co_return to_json(*stored);
}

task<operation_result> one_operation::head(storage::store& s) {
    auto found = co_await s.head(args_.key, deadline_);
    if (!found.has_value()) co_return found.error();
    co_return to_json(*found);
}

task<operation_result> one_operation::get(storage::store& s) {
    constexpr std::uint64_t piece = std::uint64_t{8} << 20;
    const auto end = args_.count == 0 ? storage::byte_range().count : args_.first + args_.count;
    storage::object_info info;
    for (auto at = args_.first;;) {
        storage::byte_range which;
        which.first = at;
        which.count = std::min(piece, end - at);
        auto got = co_await s.get(args_.key, which, deadline_);
        if (!got.has_value()) co_return got.error();
        if (at != args_.first && got->info.etag != info.etag)
            co_return error(disposition::retry, "the object was replaced while it was read");
        info = got->info;
        at += got->bytes.size();
        const auto written = out_.write(got->bytes);
        if (!written.has_value()) co_return written.error();
        if (got->bytes.size() < which.count || at >= std::min(end, info.size)) break;
    }
    const auto finished = out_.finish();
    if (!finished.has_value()) co_return finished.error();
    co_return to_json(info);
}

task<operation_result> one_operation::list(storage::store& s) {
    auto found = co_await s.list(args_.key, args_.from, deadline_);
    if (!found.has_value()) co_return found.error();
    json::array items;
    for (const auto& info : found->items) items.push_back(to_json(info));
    co_return json::object{{"items", std::move(items)}, {"next", found->next}};
}

task<operation_result> one_operation::remove(storage::store& s) {
    auto removed = co_await s.remove(args_.key, deadline_);
    if (!removed.has_value()) co_return removed.error();
    co_return json::object();
}

task<operation_result> one_operation::multipart(storage::store& s, context& x) {
    const storage::payload body{body_.bytes()};
    const auto how = put_how();
    storage::multipart_options parts;
    parts.parts.size = args_.part_size;
    parts.parts.in_flight = args_.parallel;
    parts.retries.attempts = 1;  // the store tries again by itself
    auto stored = co_await storage::upload_in_parts(s, x, args_.key, body, how, deadline_, parts);
    if (!stored.has_value()) co_return stored.error();
    co_return to_json(*stored);
}

json::object one_operation::verdict() const {
    json::object out{{"operation", args_.operation}, {"bucket", args_.bucket}, {"key", args_.key}};
    const bool writes = args_.operation == "put" || args_.operation == "multipart";
    out["ok"] = done();
    out["disposition"] = !done() ? to_string(answer_.error().what()) : writes ? "delivered" : "done";
    out["status"] = done() ? traffic_.status : answer_.error().status();
    out["provider_code"] = done() ? std::string() : answer_.error().provider_code();
    out["request_id"] = traffic_.request_id;
    out["message"] = done() ? std::string() : answer_.error().context();
    out["attempts"] = traffic_.requests;
    out["ms"] = std::chrono::duration<double, std::milli>(took_).count();
    if (done())
        for (const auto& member : *answer_) out.insert_or_assign(member.key(), member.value());
    return out;
}

}  // namespace

int debug_store(const debug_store_arguments& args) {
    const auto stores = storage::default_registry();
    const auto configured = load_configuration(args.config, args.overrides, stores);
    if (!print_faults(args.config, configured)) return exit_code::usage;
    one_operation job(args, configured.what);
    const auto prepared = job.prepare();
    if (!prepared.has_value()) {
        std::fprintf(stderr, "error: %s\n", escape_for_log(prepared.error().context()).c_str());
        return exit_code::usage;
    }
    run_options options;
    options.log = console_log();
    const auto report = firehose::run([&job](context& x) { return job.run(x); }, options);
    if (report.how == ending::failed) {
        std::fprintf(stderr, "error: %s\n", escape_for_log(report.what).c_str());
        return exit_code::internal;
    }
    const bool bytes_on_output = args.operation == "get" && args.out.empty();
    if (bytes_on_output)
        std::fprintf(stderr, "%s\n", json::serialize(job.verdict()).c_str());
    else
        print_line(job.verdict());
    return job.done() ? exit_code::all_delivered : exit_code::kept;
}

}  // namespace firehose::app
