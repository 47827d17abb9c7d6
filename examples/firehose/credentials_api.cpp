#include "examples/firehose/credentials_api.hpp"

#include "examples/firehose/flows_api.hpp"
#include "examples/firehose/saved_credential.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

bool is_object_id(std::string_view id) {
    const auto hexadecimal = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    return id.size() == 24 && std::ranges::all_of(id, hexadecimal);
}

json::object shown(const std::string& id, const live_configuration::credential& c) {
    return visible_credential(id, c.document, c.saved ? "api" : "configuration");
}

http::response credential_answer(int status, const json::object& body, const std::string& etag) {
    auto out = http::json_response(status, json::serialize(body));
    out.headers.emplace_back("ETag", etag);
    return out;
}

/// What is left behind, for the person who deletes.
void add_needs(json::object& to, const live_configuration::need& who, bool replaced) {
    json::object needs;
    json::array flows;
    for (const auto& id : who.flows) flows.emplace_back(id);
    needs["flows"] = std::move(flows);
    needs["spooled_records"] = who.spooled;
    needs["parked_records"] = who.parked;
    to["needed_by"] = std::move(needs);
    if (replaced)
        to["note"] = "the credential of this id in the configuration file is in force again";
    else if (!who.flows.empty() || who.spooled + who.parked > 0)
        to["note"] = "nothing is lost: records that need it stay in the spool and events of these flows are "
                     "spooled, stopped, until a credential of this id is saved again";
}

}  // namespace

std::string credentials_api::now() const {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(x_.time.wall_now());
    const auto day = std::chrono::floor<std::chrono::days>(since);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(since - day);
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

task<http::answer> credentials_api::answer(admin_request asked) {
    const permit alone = co_await live_.begin_change();
    if (asked.id.empty()) co_return list();
    if (asked.method == "GET") co_return show(asked);
    if (!is_object_id(asked.id))
        co_return http::refusal(400, "invalid_id", "a credential's id has 24 hexadecimal digits");
    if (asked.method == "DELETE") co_return co_await remove(asked);
    auto saved = co_await save(asked);
    storage::wipe(asked.body);
    co_return saved;
}

http::answer credentials_api::list() const {
    json::array all;
    for (const auto& id : live_.credential_ids())
        if (const auto one = live_.find_credential(id)) all.push_back(shown(id, *one));
    return http::json_response(200, json::serialize(all));
}

http::answer credentials_api::show(const admin_request& asked) const {
    const auto one = live_.find_credential(asked.id);
    if (!one) return http::refusal(404, "not_found", "there is no such credential");
    return credential_answer(200, shown(asked.id, *one), one->etag);
}

task<http::answer> credentials_api::save(const admin_request& asked) {
    if (!live_.can_save_credentials())
        co_return http::refusal(409, "no_key",
                                "credentials cannot be saved: the configuration names no key to seal them "
                                "with, server.credentials_key");
    const auto before = live_.find_credential(asked.id);
    if (auto no = check_conditions(asked, before ? before->etag : "")) co_return *no;
    error_code ec;
    auto given = json::parse(asked.body, ec);
    if (ec || !given.is_object())
        co_return http::refusal(400, "invalid_json", "the body must be a JSON object");
    auto& document = given.get_object();
    std::vector<fault> faults;
    if (const auto* id = document.if_contains("id"); id && *id != json::value(asked.id))
        faults.push_back({"/id", "is not the one of the address"});
    for (const auto* shown_only : {"secrets", "origin"}) document.erase(shown_only);
    auto value = read_saved_credential(asked.id, document, live_.stores(), faults);
    if (!faults.empty()) co_return faults_answer("the credential has faults and was not saved", faults);
    const auto* made = before && before->saved ? before->document.if_contains("created_at") : nullptr;
    const auto today = now();
    const auto since = made ? *made : json::value(today);
    document["id"] = asked.id;
    document["type"] = value.type;
    document["created_at"] = since;
    document["updated_at"] = today;
    storage::secret text(json::serialize(document));
    auto saved = co_await live_.save_credential(asked.id, std::move(text), std::move(value));
    if (saved.has_error()) co_return not_durable(saved.error());
    x_.log.info("credential saved", {{"credential", asked.id}, {"user", asked.user}});
    const auto after = live_.find_credential(asked.id).value();
    co_return credential_answer(before ? 200 : 201, shown(asked.id, after), after.etag);
}

task<http::answer> credentials_api::remove(const admin_request& asked) {
    const auto before = live_.find_credential(asked.id);
    if (!before) co_return http::refusal(404, "not_found", "there is no such credential");
    if (auto no = check_conditions(asked, before->etag)) co_return *no;
    if (!before->saved)
        co_return http::refusal(409, "configured",
                                "this credential stands in the configuration file: take it out there");
    const auto needs = live_.needs_of(asked.id);
    auto erased = co_await live_.delete_credential(asked.id);
    if (erased.has_error()) co_return not_durable(erased.error());
    x_.log.info("credential deleted", {{"credential", asked.id},
                                       {"user", asked.user},
                                       {"flows", needs.flows.size()},
                                       {"spooled", needs.spooled}});
    auto body = shown(asked.id, *before);
    add_needs(body, needs, live_.find_credential(asked.id).has_value());
    co_return credential_answer(200, body, before->etag);
}

}  // namespace firehose::app
