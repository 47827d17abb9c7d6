#include "examples/firehose/flows_api.hpp"

#include "examples/firehose/come_again.hpp"
#include "examples/firehose/config_reader.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace firehose::app {
namespace json = boost::json;
namespace {

json::object shown(const std::string& id, const live_configuration::flow& flow) {
    json::object out;
    out["id"] = id;
    for (const auto* name : {"name", "firehose"})
        if (const auto* value = flow.document.if_contains(name)) out[name] = *value;
    out["origin"] = flow.saved ? "api" : "configuration";
    return out;
}

http::response flow_answer(int status, const std::string& id, const live_configuration::flow& flow) {
    auto out = http::json_response(status, json::serialize(shown(id, flow)));
    out.headers.emplace_back("ETag", flow.etag);
    return out;
}

std::vector<fault> faults_of(const std::string& id, const json::object& flow,
                             const stages::destination_check& check) {
    std::vector<fault> faults;
    const object_reader reader(flow, "", faults);
    reader.only({"id", "name", "firehose", "origin"});
    std::string name, own_id = id;
    reader.read("name", name);
    reader.read("id", own_id);
    if (own_id != id) reader.fail("id", "is not the one of the address");
    if (const auto* routing = reader.find("firehose"))
        for (auto& f : stages::check_routing(*routing, check))
            faults.push_back({"/firehose" + f.pointer, std::move(f.message)});
    else
        reader.fail("firehose", "is required");
    return faults;
}

}  // namespace

http::response faults_answer(const std::string& sentence, const std::vector<fault>& faults) {
    json::array all;
    for (const auto& f : faults) all.push_back({{"pointer", f.pointer}, {"message", f.message}});
    json::object out;
    out["error"] = sentence;
    out["errors"] = std::move(all);
    return http::json_response(422, json::serialize(out));
}

http::refusal not_durable(const error& why) {
    return come_again(503, "not_durable",
                      "the change could not be made durable and is not in force; after a restart it may be: "
                      "send it again. " +
                          why.context(),
                      std::chrono::seconds(1));
}

task<http::answer> flows_api::answer(admin_request asked) {
    const permit alone = co_await live_.begin_change();
    if (asked.id.empty()) co_return list();
    if (asked.method == "GET") co_return show(asked);
    if (!storage::document_folder::may_be_named(asked.id))
        co_return http::refusal(400, "invalid_id", "a flow's id has 1 to 64 letters, digits, '-' and '_'");
    if (asked.method == "PUT") co_return co_await save(asked);
    co_return co_await remove(asked);
}

http::answer flows_api::list() const {
    json::array all;
    for (const auto& id : live_.flow_ids())
        if (const auto flow = live_.find_flow(id)) all.push_back(shown(id, *flow));
    return http::json_response(200, json::serialize(all));
}

http::answer flows_api::show(const admin_request& asked) const {
    const auto flow = live_.find_flow(asked.id);
    if (!flow) return http::refusal(404, "not_found", "there is no such flow");
    return flow_answer(200, asked.id, *flow);
}

task<http::answer> flows_api::save(const admin_request& asked) {
    const auto before = live_.find_flow(asked.id);
    if (auto no = check_conditions(asked, before ? before->etag : "")) co_return *no;
    error_code ec;
    const auto given = json::parse(asked.body, ec);
    if (ec || !given.is_object())
        co_return http::refusal(400, "invalid_json", "the body must be a JSON object");
    const auto faults = faults_of(asked.id, given.get_object(), live_.check());
    if (!faults.empty()) co_return faults_answer("the flow has faults and was not saved", faults);
    json::object kept;
    for (const auto* name : {"name", "firehose"})
        if (const auto* value = given.get_object().if_contains(name)) kept[name] = *value;
    auto document = json::serialize(kept);
    auto saved = co_await live_.save_flow(asked.id, std::move(document));
    if (saved.has_error()) co_return not_durable(saved.error());
    log_.info("flow saved", {{"flow", asked.id}, {"user", asked.user}});
    co_return flow_answer(before ? 200 : 201, asked.id, live_.find_flow(asked.id).value());
}

task<http::answer> flows_api::remove(const admin_request& asked) {
    const auto before = live_.find_flow(asked.id);
    if (!before) co_return http::refusal(404, "not_found", "there is no such flow");
    if (auto no = check_conditions(asked, before->etag)) co_return *no;
    if (!before->saved)
        co_return http::refusal(409, "configured",
                                "this flow stands in the configuration file: take it out there");
    auto erased = co_await live_.delete_flow(asked.id);
    if (erased.has_error()) co_return not_durable(erased.error());
    log_.info("flow deleted", {{"flow", asked.id}, {"user", asked.user}});
    co_return flow_answer(200, asked.id, *before);
}

}  // namespace firehose::app
