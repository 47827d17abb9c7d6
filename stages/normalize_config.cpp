#include "stages/normalize_config.hpp"

#include "stages/nearest_name.hpp"
#include "storage/object_key.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>

namespace firehose::stages {
namespace json = boost::json;

namespace {

/// Distinct `firehose` objects remembered; more than this means they are not configuration but noise.
constexpr std::size_t most_remembered = 4096;

std::string_view kind_name(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null: return "null";
        case json::kind::bool_: return "a boolean";
        case json::kind::int64:
        case json::kind::uint64:
        case json::kind::double_: return "a number";
        case json::kind::string: return "a string";
        case json::kind::array: return "an array";
        case json::kind::object: return "an object";
    }
    return "something else";
}

bool is_true(const json::value* value) { return value && value->is_bool() && value->get_bool(); }
bool is_false(const json::value* value) { return value && value->is_bool() && !value->get_bool(); }

/// Present and not null: absent optional values are sent as null.
const json::value* member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value && !value->is_null() ? value : nullptr;
}

/// The JSON Pointer to a member of what `where` points to (RFC 6901).
std::string member_of(const std::string& where, std::string_view name) {
    std::string pointer = where + "/";
    for (const char c : name) {
        if (c == '~')
            pointer.append("~0");
        else if (c == '/')
            pointer.append("~1");
        else
            pointer.push_back(c);
    }
    return pointer;
}

std::string type_of_service(std::string_view service) {
    if (service == "aws") return "s3";
    if (service == "azure") return "azure";
    return {};
}

/// Reads a string member into `out`; returns what is wrong with it.
std::string read_string(const json::object& object, std::string_view name, bool required, std::string& out) {
    const auto* value = member(object, name);
    if (!value) return required ? std::string(name) + " is required" : std::string();
    if (!value->is_string())
        return std::string(name).append(" is ").append(kind_name(*value)).append(", not a string");
    out = value->get_string();
    if (required && out.empty()) return std::string(name) + " is empty";
    return {};
}

/// One service entry, or the legacy form's top level read as one; `enabled` was looked at already.
/// The first fault is the target's problem; all of them go to `faults`, with pointers below `where`.
target read_target(std::string_view service, const json::object& object, const destination_check& check,
                   const std::string& where, std::vector<routing_fault>& faults) {
    target t;
    t.to.service = service;
    t.to.type = type_of_service(service);
    auto note = [&](std::string_view name, std::string problem) {
        if (problem.empty()) return;
        if (t.problem.empty()) t.problem = problem;
        faults.push_back({name.empty() ? where : member_of(where, name), std::move(problem)});
    };
    std::string type;
    note("type", read_string(object, "type", false, type));
    if (!type.empty()) t.to.type = type == "aws" ? "s3" : type;
    if (t.to.type.empty() && t.problem.empty())
        note("", "nobody knows the service \"" + std::string(service) +
                     "\": give it a \"type\", or name it aws or azure");
    note("bucket", read_string(object, "bucket", true, t.to.bucket));
    std::string prefix;
    note("prefix", read_string(object, "prefix", false, prefix));
    t.to.prefix = storage::normalize_prefix(prefix);
    note("credential_id", read_string(object, "credential_id", false, t.to.credential_id));
    if (t.problem.empty() && check) note("", check(t.to));
    return t;
}

/// For the event path, where the first fault is enough.
target read_target(std::string_view service, const json::object& object, const destination_check& check) {
    std::vector<routing_fault> ignored;
    return read_target(service, object, check, {}, ignored);
}

target unreadable(std::string problem) {
    target t;
    t.to.service = unreadable_service;
    t.problem = std::move(problem);
    return t;
}

/// The legacy form names its target at the top level; services.aws, when there, takes its place.
bool has_legacy_target(const json::object& object, const json::object* services) {
    const bool replaced = services && member(*services, "aws");
    return !replaced && member(object, "credential_id") && member(object, "bucket");
}

// --- the stricter reading ---------------------------------------------------------------------

constexpr std::array<std::string_view, 5> top_level_members{"enabled", "services", "credential_id", "bucket",
                                                            "prefix"};
constexpr std::array<std::string_view, 5> service_members{"enabled", "type", "credential_id", "bucket",
                                                          "prefix"};

template <std::size_t N>
void check_members(const json::object& object, const std::array<std::string_view, N>& known,
                   const std::string& where, std::vector<routing_fault>& faults) {
    for (const auto& [key, value] : object) {
        const std::string_view name(key.data(), key.size());
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        faults.push_back({member_of(where, name), unknown_key_message(name, known)});
    }
}

void check_enabled(const json::object& object, const std::string& where, std::vector<routing_fault>& faults) {
    const auto* value = object.if_contains("enabled");
    if (!value)
        faults.push_back({where + "/enabled", "is required: true or false"});
    else if (!value->is_bool())
        faults.push_back(
            {where + "/enabled", std::string("is ").append(kind_name(*value)).append(", not true or false")});
}

void check_service(std::string_view name, const json::value& value, const destination_check& check,
                   std::vector<routing_fault>& faults) {
    const auto where = member_of("/services", name);
    if (!value.is_object()) {
        faults.push_back({where, std::string("is ").append(kind_name(value)).append(", not an object")});
        return;
    }
    const auto& service = value.get_object();
    check_members(service, service_members, where, faults);
    check_enabled(service, where, faults);
    if (is_false(member(service, "enabled"))) return;  // switched off: may be half filled in
    read_target(name, service, check, where, faults);
}

}  // namespace

std::vector<target> targets_of(const json::value& value, const destination_check& check) {
    std::vector<target> targets;
    if (value.is_null()) return targets;
    if (!value.is_object()) {
        targets.push_back(
            unreadable(std::string("firehose is ").append(kind_name(value)).append(", not an object")));
        return targets;
    }
    const auto& object = value.get_object();
    if (!is_true(member(object, "enabled"))) return targets;

    const auto* services = member(object, "services");
    if (services && !services->is_object()) {
        targets.push_back(unreadable(
            std::string("firehose.services is ").append(kind_name(*services)).append(", not an object")));
        services = nullptr;
    }
    const auto* entries = services ? &services->get_object() : nullptr;
    if (has_legacy_target(object, entries)) {
        targets.push_back(read_target("aws", object, check));
    }
    if (!entries) return targets;
    for (const auto& [key, entry] : *entries) {
        if (entry.is_null()) continue;
        const std::string_view name(key.data(), key.size());
        if (!entry.is_object()) {
            target t;
            t.to.service = name;
            t.problem = std::string("firehose.services.")
                            .append(name)
                            .append(" is ")
                            .append(kind_name(entry))
                            .append(", not an object");
            targets.push_back(std::move(t));
        } else if (is_true(member(entry.get_object(), "enabled"))) {
            targets.push_back(read_target(name, entry.get_object(), check));
        }
    }
    return targets;
}

std::vector<routing_fault> check_routing(const json::value& value, const destination_check& check) {
    std::vector<routing_fault> faults;
    if (!value.is_object()) {
        faults.push_back({"", std::string("is ").append(kind_name(value)).append(", not an object")});
        return faults;
    }
    const auto& object = value.get_object();
    check_members(object, top_level_members, "", faults);
    check_enabled(object, "", faults);

    const auto* services = member(object, "services");
    if (services && !services->is_object()) {
        faults.push_back(
            {"/services", std::string("is ").append(kind_name(*services)).append(", not an object")});
        services = nullptr;
    }
    const auto* entries = services ? &services->get_object() : nullptr;
    const bool id = member(object, "credential_id");
    const bool bucket = member(object, "bucket");
    if (has_legacy_target(object, entries)) {
        if (!is_false(member(object, "enabled"))) read_target("aws", object, check, "", faults);
    } else if (id != bucket) {
        faults.push_back(
            {id ? "/bucket" : "/credential_id", "is required beside the other half of the legacy form"});
    }
    if (entries && !entries->empty()) {
        for (const auto& [key, entry] : *entries)
            check_service({key.data(), key.size()}, entry, check, faults);
    } else if (!id && !bucket && is_true(member(object, "enabled"))) {
        faults.push_back({"", "is enabled but names no target: add services, or credential_id and bucket"});
    }
    return faults;
}

normalize_config::normalize_config(options how) : how_(std::move(how)), reader_(how_.shape) {
    if (!how_.routing) how_.routing = std::make_shared<const routing_table>();
    if (!how_.books) how_.books = std::make_shared<account>();
}

target_list normalize_config::route(const event_reading& reading, std::uint64_t stamp) {
    if (!reading.routing && how_.routes) return how_.routes(reading.what.flow, stamp);
    if (!reading.routing) {
        const auto flow = how_.routing->flows.find(reading.what.flow);
        return flow != how_.routing->flows.end() ? flow->second : how_.routing->otherwise;
    }
    const auto known = seen_.find(reading.routing->text);
    if (known != seen_.end()) return known->second;
    error_code ec;
    const auto value = json::parse(reading.routing->text, ec);
    auto list = std::make_shared<const std::vector<target>>(
        ec ? std::vector<target>{unreadable("firehose cannot be read: " + ec.message())}
           : targets_of(value, how_.check));
    // A problem may be gone tomorrow: a credential that did not exist was made.
    if (std::ranges::any_of(*list, [](const target& t) { return !t.problem.empty(); })) return list;
    if (seen_.size() >= most_remembered) seen_.clear();
    seen_.emplace(reading.routing->text, list);
    return list;
}

bool normalize_config::normalize(const raw_event& line, event& out) {
    event_reading reading;
    if (auto why = reader_.read(line.bytes, reading); !why.empty()) {
        how_.books->refuse();
        if (how_.refused) how_.refused({line.line, line.offset, std::move(why)});
        return false;
    }
    how_.books->accept();
    if (reading.what.flow.empty()) reading.what.flow = as_text(line.flow);
    reading.what.targets = route(reading, line.stamp);
    reading.what.position = line.offset;
    reading.what.arrived_ms = line.arrived_ms;
    reading.what.settled = line.settled;
    out = std::move(reading.what);
    return true;
}

task<> normalize_config::run(receiver<raw_event> in, sender<event> out, context&) {
    for (;;) {
        auto lines = co_await in.next();
        if (!lines) co_return;
        std::vector<event> events;
        events.reserve(lines->items().size());
        for (const auto& line : lines->items()) {
            event e;
            if (normalize(line, e)) events.push_back(std::move(e));
        }
        auto slabs = lines->slabs();
        batch<event> routed(std::move(events), lines->bytes(), lines->take_ack(), std::move(slabs));
        const auto taken = co_await out.push(routed);
        if (!taken) co_return;
    }
}

}  // namespace firehose::stages
