#include "stages/flow_book.hpp"

#include "pipeline/blocking.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace firehose::stages {
namespace json = boost::json;
namespace {

constexpr const char* configuration_name = "configuration";

/// The `firehose` object that targets_of() makes the same list from.
std::string routing_text(const target_list& targets) {
    if (!targets) return {};
    json::object services;
    for (const auto& t : *targets) {
        json::object one;
        one["enabled"] = true;
        one["type"] = t.to.type;
        one["bucket"] = t.to.bucket;
        one["prefix"] = t.to.prefix;
        one["credential_id"] = t.to.credential_id;
        services[t.to.service] = std::move(one);
    }
    json::object out;
    out["enabled"] = true;
    out["services"] = std::move(services);
    return json::serialize(out);
}

target_list unreadable_targets(std::string problem) {
    target t;
    t.to.service = unreadable_service;
    t.problem = std::move(problem);
    return std::make_shared<const std::vector<target>>(1, std::move(t));
}

/// Of a document that was checked when it was saved; null for an empty one.
target_list targets_in(const std::string& document, const char* member, const destination_check& check) {
    if (document.empty()) return nullptr;
    error_code ec;
    const auto value = json::parse(document, ec);
    const auto* routing = ec ? nullptr : &value;
    if (routing && member) routing = value.is_object() ? value.get_object().if_contains(member) : nullptr;
    if (!routing) return unreadable_targets("the saved flow cannot be read: save it again");
    return std::make_shared<const std::vector<target>>(targets_of(*routing, check));
}

template <class Version> json::array versions_text(const std::vector<Version>& versions) {
    json::array out;
    for (const auto& v : versions) {
        json::object one;
        one["since"] = v.since;
        one["is"] = nullptr;
        if (!v.document.empty()) one["is"] = json::parse(v.document);
        out.push_back(std::move(one));
    }
    return out;
}

/// Each with its stamp and its document, in order; nothing when it is anything else.
std::optional<std::vector<std::pair<routing_stamp, std::string>>> parse_versions(const json::value* from) {
    std::vector<std::pair<routing_stamp, std::string>> out;
    if (!from || !from->is_array()) return std::nullopt;
    for (const auto& one : from->get_array()) {
        const auto* object = one.if_object();
        const auto* since = object ? object->if_contains("since") : nullptr;
        const auto* is = object ? object->if_contains("is") : nullptr;
        if (!since || !is) return std::nullopt;
        error_code ec;
        const auto stamp = since->to_number<routing_stamp>(ec);
        if (ec || (!out.empty() && stamp < out.back().first)) return std::nullopt;
        out.emplace_back(stamp, is->is_null() ? std::string() : json::serialize(*is));
    }
    return out;
}

/// The last one that had begun; null when none had.
template <class History> const auto* in_force(const History& of, routing_stamp at) {
    const auto after = std::ranges::upper_bound(of, at, {}, [](const auto& v) { return v.since; });
    return after == of.begin() ? nullptr : &*std::prev(after);
}

}  // namespace

flow_book::flow_book(context& x, storage::file_system& fs, const std::filesystem::path& data_dir, options how)
    : x_(x),
      saved_folder_(fs, data_dir, "flows"),
      configured_folder_(fs, data_dir, "routing"),
      how_(std::move(how)),
      stamp_(how_.last_used) {}

task<result<std::unique_ptr<flow_book>>> flow_book::open(context& x, storage::file_system& fs,
                                                         std::filesystem::path data_dir, options how) {
    std::unique_ptr<flow_book> book(new flow_book(x, fs, data_dir, std::move(how)));
    auto work = [&] { return book->load(); };
    auto buried = co_await run_blocking(x.blocking, std::move(work));
    if (buried.has_error()) co_return buried.error();
    for (const auto& id : *buried)
        x.log.error("a saved flow is damaged; its events are parked until it is saved again", {{"flow", id}});
    co_return book;
}

/// On the blocking pool, before anything else uses the book. Returns the ids of damaged flows.
result<std::vector<std::string>> flow_book::load() {
    auto saved = saved_folder_.load();
    if (saved.has_error()) return saved.error();
    auto configuration = configured_folder_.load();
    if (configuration.has_error()) return configuration.error();
    for (const auto& [id, text] : saved->documents)
        if (!read_saved(id, text)) saved->damaged.push_back(id);
    for (const auto& id : saved->damaged) {
        saved_[id] = {{0, "{}", unreadable_targets("the flow " + id + " is damaged on disk: save it again")}};
        damaged_.insert(id);
    }
    const auto known = configuration->documents.find(configuration_name);
    configured_found_ = known != configuration->documents.end() && read_configured(known->second);
    std::vector<std::string> ended;
    for (auto& [id, versions] : saved_) {
        forget(versions, how_.oldest);
        if (versions.empty()) ended.push_back(id);
    }
    for (const auto& id : ended) {
        auto erased = saved_folder_.erase(id);
        if (erased.has_error()) return erased.error();
        saved_.erase(id);
    }
    return saved->damaged;
}

bool flow_book::read_saved(const std::string& id, const std::string& text) {
    error_code ec;
    const auto value = json::parse(text, ec);
    const auto versions = parse_versions(ec ? nullptr : &value);
    if (!versions || versions->empty()) return false;
    auto& mine = saved_[id];
    for (const auto& [since, document] : *versions) {
        mine.push_back({since, document, targets_in(document, "firehose", how_.check)});
        stamp_ = std::max(stamp_, since);
    }
    return true;
}

bool flow_book::read_configured(const std::string& text) {
    error_code ec;
    const auto value = json::parse(text, ec);
    const auto* object = ec ? nullptr : value.if_object();
    const auto* flows = object ? object->if_contains("flows") : nullptr;
    if (!flows || !flows->is_object()) return false;
    configured found;
    const auto read = [&](const json::value* from, history& to) {
        const auto versions = parse_versions(from);
        if (!versions) return false;
        for (const auto& [since, document] : *versions) {
            to.push_back({since, document, targets_in(document, nullptr, how_.check)});
            stamp_ = std::max(stamp_, since);
        }
        return true;
    };
    if (!read(object->if_contains("default"), found.otherwise)) return false;
    for (const auto& [key, versions] : flows->get_object())
        if (!read(&versions, found.flows[std::string(std::string_view(key))])) return false;
    configured_ = std::move(found);
    return true;
}

/// What no undelivered event can ask for any more.
void flow_book::forget(history& of, std::optional<routing_stamp> oldest) const {
    const auto floor = oldest.value_or(stamp_);
    while (of.size() > 1 && of[1].since <= floor) of.erase(of.begin());
    if (of.size() == 1 && of.front().document.empty() && of.front().since <= floor) of.clear();
}

target_list flow_book::route(std::string_view flow, routing_stamp accepted) const {
    for (const auto* side : {&saved_, &configured_.flows}) {
        const auto known = side->find(flow);
        const auto* v = known == side->end() ? nullptr : in_force(known->second, accepted);
        if (v && v->targets) return v->targets;
    }
    const auto* v = in_force(configured_.otherwise, accepted);
    return v ? v->targets : nullptr;
}

const std::string* flow_book::find(std::string_view id) const {
    const auto known = saved_.find(id);
    if (known == saved_.end() || damaged_.contains(id)) return nullptr;
    const auto& versions = known->second;
    return versions.empty() || versions.back().document.empty() ? nullptr : &versions.back().document;
}

std::vector<std::string> flow_book::ids() const {
    std::vector<std::string> out;
    for (const auto& [id, versions] : saved_)
        if (find(id)) out.push_back(id);
    return out;
}

std::set<storage::destination> flow_book::destinations() const {
    std::set<storage::destination> out;
    const auto add = [&](const history& versions) {
        if (versions.empty() || !versions.back().targets) return;
        for (const auto& t : *versions.back().targets)
            if (t.problem.empty()) out.insert(t.to);
    };
    add(configured_.otherwise);
    for (const auto* side : {&saved_, &configured_.flows})
        for (const auto& [id, versions] : *side) add(versions);
    return out;
}

task<result<>> flow_book::write_saved(const std::string& id, const history& versions) {
    const auto text = versions.empty() ? std::string() : json::serialize(versions_text(versions));
    auto work = [&] { return text.empty() ? saved_folder_.erase(id) : saved_folder_.put(id, text); };
    co_return co_await run_blocking(x_.blocking, std::move(work));
}

task<result<>> flow_book::write_configured(const configured& versions) {
    json::object flows;
    for (const auto& [id, of] : versions.flows) flows[id] = versions_text(of);
    json::object out;
    out["default"] = versions_text(versions.otherwise);
    out["flows"] = std::move(flows);
    const auto text = json::serialize(out);
    auto work = [&] { return configured_folder_.put(configuration_name, text); };
    co_return co_await run_blocking(x_.blocking, std::move(work));
}

task<result<>> flow_book::settle_doubts() {
    while (!doubtful_.empty()) {
        const std::string id = *doubtful_.begin();
        const auto known = saved_.find(id);
        const history versions = known == saved_.end() ? history() : known->second;
        auto written = co_await write_saved(id, versions);
        if (written.has_error()) co_return written;
        doubtful_.erase(id);
    }
    if (configured_doubtful_) {
        auto written = co_await write_configured(configured_);
        if (written.has_error()) co_return written;
        configured_doubtful_ = false;
    }
    co_return result<>();
}

task<result<>> flow_book::change_saved(std::string id, std::string document,
                                       std::optional<routing_stamp> oldest) {
    auto settled = co_await settle_doubts();
    if (settled.has_error()) co_return settled;
    const auto known = saved_.find(id);
    history versions = known == saved_.end() || damaged_.contains(id) ? history() : known->second;
    const auto next = stamp_ + 1;
    // Where a damaged file stood, nothing is known of the past: what waits goes where the mended flow says.
    const auto since = damaged_.contains(id) ? 0 : next;
    versions.push_back({since, document, targets_in(document, "firehose", how_.check)});
    forget(versions, oldest);
    auto written = co_await write_saved(id, versions);
    if (written.has_error()) {
        if (!damaged_.contains(id)) doubtful_.insert(id);
        co_return written;
    }
    saved_[id] = std::move(versions);
    damaged_.erase(id);
    stamp_ = next;
    co_return result<>();
}

task<result<>> flow_book::put(std::string id, std::string document, std::optional<routing_stamp> oldest) {
    return change_saved(std::move(id), std::move(document), oldest);
}

task<result<>> flow_book::erase(std::string id, std::optional<routing_stamp> oldest) {
    return change_saved(std::move(id), {}, oldest);
}

task<result<>> flow_book::configure(const routing_table& now, std::optional<routing_stamp> oldest) {
    auto settled = co_await settle_doubts();
    if (settled.has_error()) co_return settled;
    configured fresh = configured_;
    // Before the first one nothing is known of the past, and its events are as good as new.
    const auto next = configured_found_ ? stamp_ + 1 : 0;
    bool changed = !configured_found_;
    const auto take = [&](history& versions, const target_list& targets) {
        auto text = routing_text(targets);
        forget(versions, oldest);
        if (versions.empty() ? text.empty() : versions.back().document == text) return;
        changed = true;
        versions.push_back({next, std::move(text), targets});
        forget(versions, oldest);
    };
    take(fresh.otherwise, now.otherwise);
    for (const auto& [id, targets] : now.flows) take(fresh.flows[id], targets);
    for (auto& [id, versions] : fresh.flows)
        if (!now.flows.contains(id)) take(versions, nullptr);
    std::erase_if(fresh.flows, [](const auto& named) { return named.second.empty(); });
    if (!changed) co_return result<>();
    auto written = co_await write_configured(fresh);
    if (written.has_error()) {
        configured_doubtful_ = configured_found_;
        co_return written;
    }
    configured_ = std::move(fresh);
    configured_found_ = true;
    stamp_ = std::max(stamp_, next);
    co_return result<>();
}

}  // namespace firehose::stages
