/// Which targets a flow had when an event was accepted: the configuration through time, durable.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/log_block.hpp"
#include "stages/normalize_config.hpp"
#include "storage/document_folder.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::stages {

/// Flows come from two sides: saved one by one (an API), or all together with the default from a
/// configuration. A saved flow wins over one of the same id in the configuration, and that over the default.
///
/// Every change has a number, its stamp. An accepted event keeps the number of the last change before it
/// (event_log::set_stamp), and route() answers with what was in force then, however much later it is asked
/// and after however many kills: a change is durable before it has a number that any event can get. Versions
/// that no undelivered event can ask for are forgotten when their flow changes and when the book is opened.
///
/// Files below data_dir, all of them a document_folder: `flows/<id>` with the versions of a saved flow,
/// `routing/configuration` with those of the configuration. A saved flow whose file is damaged has a target
/// with a problem, so its events are parked; a damaged `routing/configuration` is made anew.
///
/// Single shard; one process owns data_dir; one change at a time: the caller sees to that.
class flow_book {
public:
    struct options {
        /// Of targets that are read from disk; not for credentials, which may be there again tomorrow.
        destination_check check{};
        routing_stamp last_used = 0;  ///< the highest that any event in the log has
        /// The lowest that an undelivered event has; nothing: there is no undelivered event.
        std::optional<routing_stamp> oldest{};
    };
    static task<result<std::unique_ptr<flow_book>>> open(context& x, storage::file_system& fs,
                                                         std::filesystem::path data_dir, options how);

    /// What events accepted from now on are to be stamped with. Moves when a change has succeeded.
    routing_stamp stamp() const noexcept { return stamp_; }
    /// The targets of an event that brings no `firehose` object; null when nobody has any for it.
    target_list route(std::string_view flow, routing_stamp accepted) const;

    /// A saved flow: a JSON object with the member `firehose`; null when there is none.
    const std::string* find(std::string_view id) const;
    std::vector<std::string> ids() const;
    /// Where events accepted from now on may be sent by a flow or the default.
    std::set<storage::destination> destinations() const;
    /// Ids of flows whose file is damaged; put() mends them.
    const std::set<std::string, std::less<>>& damaged() const noexcept { return damaged_; }

    /// Saves a checked flow. `oldest` as in options, at the moment. After an error the old one is in force,
    /// and no other change is made before the disk says so too; a restart may find either. Not to be
    /// cancelled.
    task<result<>> put(std::string id, std::string document, std::optional<routing_stamp> oldest);
    task<result<>> erase(std::string id, std::optional<routing_stamp> oldest);
    /// The configuration's side, as a whole. No change when it says the same as before.
    task<result<>> configure(const routing_table& now, std::optional<routing_stamp> oldest);

private:
    /// From `since` on, until the next; an empty document: nothing of its own.
    struct version {
        routing_stamp since = 0;
        std::string document{};
        target_list targets{};
    };
    using history = std::vector<version>;
    struct configured {
        history otherwise{};
        std::map<std::string, history, std::less<>> flows{};
    };

    flow_book(context& x, storage::file_system& fs, const std::filesystem::path& data_dir, options how);
    result<std::vector<std::string>> load();
    bool read_saved(const std::string& id, const std::string& text);
    bool read_configured(const std::string& text);
    void forget(history& of, std::optional<routing_stamp> oldest) const;
    task<result<>> write_saved(const std::string& id, const history& versions);
    task<result<>> write_configured(const configured& versions);
    task<result<>> change_saved(std::string id, std::string document, std::optional<routing_stamp> oldest);
    /// Writes what is in force where a failed write may have left something else.
    task<result<>> settle_doubts();

    context& x_;
    storage::document_folder saved_folder_, configured_folder_;
    options how_;
    std::map<std::string, history, std::less<>> saved_{};
    configured configured_{};
    std::set<std::string, std::less<>> damaged_{}, doubtful_{};
    bool configured_doubtful_ = false;
    bool configured_found_ = false;
    routing_stamp stamp_ = 0;
};

}  // namespace firehose::stages
