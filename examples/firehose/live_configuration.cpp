#include "examples/firehose/live_configuration.hpp"

#include "examples/firehose/admin_routes.hpp"
#include "examples/firehose/config_changes.hpp"
#include "examples/firehose/saved_credential.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace firehose::app {
namespace json = boost::json;

live_configuration::live_configuration(context& x, parts with, const configuration& file)
    : x_(x),
      with_(with),
      base_directory_(file.base_directory),
      data_dir_(file.data_dir),
      of_file_(file.credentials),
      document_(file.document),
      changing_(x.ex, 1) {}

task<result<std::unique_ptr<live_configuration>>> live_configuration::open(context& x, parts with,
                                                                           const configuration& file) {
    std::unique_ptr<live_configuration> made(new live_configuration(x, with, file));
    auto book = co_await credential_book::open(x, with.fs, file.data_dir, file.keys);
    if (book.has_error()) co_return book.error();
    made->credentials_ = std::move(*book);
    auto read = co_await made->read_credentials();
    if (read.has_error()) co_return read.error();

    stages::flow_book::options how;
    // A credential that is missing stops the destination; it does not make its events dead letters.
    how.check = stages::apart_from_spool({}, file.base_directory, file.data_dir);
    how.last_used = with.log.last_stamp();
    auto first = co_await stamp_at(with, with.log.delivered());
    if (first.has_error()) co_return first.error();
    how.oldest = *first;
    const auto oldest = how.oldest;
    auto flows = co_await stages::flow_book::open(x, with.fs, file.data_dir, std::move(how));
    if (flows.has_error()) co_return flows.error();
    made->flows_ = std::move(*flows);
    auto configured = co_await made->flows_->configure(file.routing, oldest);
    if (configured.has_error()) co_return configured.error();
    with.log.set_stamp(made->flows_->stamp());
    made->warn_of_flows_without_credential();
    co_return made;
}

task<result<>> live_configuration::read_credentials() {
    for (const auto& [id, saved] : credentials_->all()) {
        std::vector<fault> faults;
        auto value = read_saved_credential(id, json::parse(saved.document.reveal()).get_object(),
                                           with_.stores, faults);
        if (!faults.empty()) {
            x_.log.error("a saved credential cannot be used; save it again",
                         {{"credential", id}, {"reason", faults.front().message}});
            continue;
        }
        if (of_file_.contains(id))
            x_.log.warning("a credential of the configuration is hidden by one that the API has saved",
                           {{"credential", id}});
        of_api_[id] = std::move(value);
    }
    co_return result<>();
}

storage::credential_map live_configuration::credentials() const {
    auto out = of_file_;
    for (const auto& [id, value] : of_api_) out.insert_or_assign(id, value);
    return out;
}

void live_configuration::attach(stages::workbench& bench,
                                std::shared_ptr<const stages::ingest_journal::view> progress) {
    bench_ = &bench;
    progress_ = std::move(progress);
}

/// Of the first event that is read for the sake of those from a position on.
task<result<std::optional<stages::routing_stamp>>> live_configuration::stamp_at(parts with,
                                                                                stages::log_position from) {
    const auto begin = with.plan ? with.plan->read_from(from) : from;
    auto found = co_await with.log.read(begin, 1);
    if (found.has_error()) co_return found.error();
    std::optional<stages::routing_stamp> stamp;
    if (!found->empty()) stamp = found->front().stamp;
    co_return stamp;
}

/// The lowest stamp that an event without a durable verdict may have; nothing when there is no such event.
task<std::optional<stages::routing_stamp>> live_configuration::oldest_needed() {
    auto& log = with_.log;
    const auto upto = log.delivered();
    std::optional<stages::routing_stamp> oldest;
    if (upto < log.end()) oldest = progress_ ? progress_->stamp : 0;
    co_await log.save_delivered();
    if (log.saved() < upto) oldest = 0;
    if (with_.plan && oldest.value_or(0) > 0) {
        const auto again = co_await stamp_at(with_, upto);
        oldest = again.has_value() ? again->value_or(0) : 0;
    }
    if (const auto coming = log.appending()) oldest = std::min(oldest.value_or(*coming), *coming);
    co_return oldest;
}

std::optional<json::object> live_configuration::in_file(std::string_view section, std::string_view id) const {
    const auto* all =
        document_ && document_->is_object() ? document_->get_object().if_contains(section) : nullptr;
    const auto* one = all && all->is_object() ? all->get_object().if_contains(id) : nullptr;
    if (!one || !one->is_object()) return std::nullopt;
    return one->get_object();
}

std::vector<std::string> live_configuration::ids_in_file(std::string_view section) const {
    std::vector<std::string> out;
    const auto* all =
        document_ && document_->is_object() ? document_->get_object().if_contains(section) : nullptr;
    if (all && all->is_object())
        for (const auto& [key, value] : all->get_object()) out.emplace_back(std::string_view(key));
    return out;
}

std::optional<live_configuration::flow> live_configuration::find_flow(std::string_view id) const {
    if (const auto* text = flows_->find(id))
        return flow{json::parse(*text).get_object(), true, etag_of(*text)};
    auto written = in_file("flows", id);
    if (!written) return std::nullopt;
    auto etag = etag_of(json::serialize(*written));
    return flow{std::move(*written), false, std::move(etag)};
}

std::vector<std::string> live_configuration::flow_ids() const {
    std::set<std::string> all;
    for (auto& id : flows_->ids()) all.insert(std::move(id));
    for (auto& id : ids_in_file("flows")) all.insert(std::move(id));
    return {all.begin(), all.end()};
}

stages::destination_check live_configuration::check() const {
    const auto known = [this](const storage::destination& to) {
        return stages::check_destination(with_.stores, bench_->known_credentials(), to);
    };
    return stages::apart_from_spool(known, base_directory_, data_dir_);
}

task<result<>> live_configuration::save_flow(std::string id, std::string document) {
    const auto oldest = co_await oldest_needed();
    auto saved = co_await flows_->put(std::move(id), std::move(document), oldest);
    with_.log.set_stamp(flows_->stamp());
    co_return saved;
}

task<result<>> live_configuration::delete_flow(std::string id) {
    const auto oldest = co_await oldest_needed();
    auto erased = co_await flows_->erase(std::move(id), oldest);
    with_.log.set_stamp(flows_->stamp());
    co_return erased;
}

std::optional<live_configuration::credential> live_configuration::find_credential(std::string_view id) const {
    if (const auto* saved = credentials_->find(id))
        return credential{json::parse(saved->document.reveal()).get_object(), true, saved->etag};
    auto written = in_file("credentials", id);
    if (!written) return std::nullopt;
    // Nothing of a secret goes into an entity tag.
    auto etag = etag_of(json::serialize(visible_credential(std::string(id), *written, "configuration")));
    return credential{std::move(*written), false, std::move(etag)};
}

std::vector<std::string> live_configuration::credential_ids() const {
    std::set<std::string> all;
    for (const auto& [id, saved] : credentials_->all()) all.insert(id);
    for (auto& id : ids_in_file("credentials")) all.insert(std::move(id));
    return {all.begin(), all.end()};
}

/// What the id stands for now.
void live_configuration::put_in_force(const std::string& id) {
    const auto saved = of_api_.find(id);
    const auto written = of_file_.find(id);
    std::optional<storage::credential> now;
    if (saved != of_api_.end())
        now = saved->second;
    else if (written != of_file_.end())
        now = written->second;
    bench_->set_credential(id, std::move(now));
}

task<result<>> live_configuration::save_credential(std::string id, storage::secret document,
                                                   storage::credential value) {
    auto saved = co_await credentials_->put(id, std::move(document));
    if (saved.has_error()) co_return saved;
    of_api_[id] = std::move(value);
    put_in_force(id);
    co_return saved;
}

task<result<>> live_configuration::delete_credential(std::string id) {
    auto erased = co_await credentials_->erase(id);
    if (erased.has_error()) co_return erased;
    of_api_.erase(id);
    put_in_force(id);
    warn_of_flows_without_credential();
    co_return erased;
}

live_configuration::need live_configuration::needs_of(std::string_view credential_id) const {
    need out;
    for (const auto& id : flow_ids()) {
        const auto targets = flows_->route(id, flows_->stamp());
        const auto uses = [&](const stages::target& t) { return t.to.credential_id == credential_id; };
        if (targets && std::ranges::any_of(*targets, uses)) out.flows.push_back(id);
    }
    for (const auto& kept : bench_->spool().contents())
        if (kept.to.credential_id == credential_id) {
            out.spooled += kept.records;
            out.parked += kept.parked;
        }
    return out;
}

void live_configuration::warn_of_flows_without_credential() const {
    const auto known = credentials();
    for (const auto& id : flows_->ids()) {
        const auto targets = flows_->route(id, flows_->stamp());
        for (const auto& t : *targets)
            if (auto problem = stages::check_destination(with_.stores, known, t.to); !problem.empty())
                x_.log.warning("a saved flow has a destination that cannot be used; its events are spooled",
                               {{"flow", id}, {"destination", storage::describe(t.to)}, {"reason", problem}});
    }
}

task<result<>> live_configuration::reload(const configuration& fresh) {
    const permit alone = co_await changing_.acquire();
    const auto oldest = co_await oldest_needed();
    auto routed = co_await flows_->configure(fresh.routing, oldest);
    with_.log.set_stamp(flows_->stamp());
    if (routed.has_error()) co_return routed;
    const auto before = std::exchange(of_file_, fresh.credentials);
    document_ = fresh.document;
    std::set<std::string> ids;
    for (const auto& [id, value] : before) ids.insert(id);
    for (const auto& [id, value] : of_file_) ids.insert(id);
    for (const auto& id : ids) {
        if (of_api_.contains(id)) continue;
        const auto old = before.find(id);
        const auto now = std::as_const(of_file_).find(id);
        const bool both = old != before.end() && now != of_file_.end();
        if (!both || !changed_members(old->second, now->second).empty()) put_in_force(id);
    }
    warn_of_flows_without_credential();
    co_return result<>();
}

}  // namespace firehose::app
