/// What may change while `firehose serve` runs: flows, the default and credentials, from file and API.
#pragma once
#include "examples/firehose/config.hpp"
#include "examples/firehose/credential_book.hpp"
#include "pipeline/semaphore.hpp"
#include "stages/cut_plan.hpp"
#include "stages/event_log.hpp"
#include "stages/flow_book.hpp"
#include "stages/ingest_journal.hpp"
#include "stages/workbench.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::app {

/// Precedence: what the API has saved wins over what the configuration file says under the same id, and shows
/// through again when it is deleted; a flow's own routing wins over the default. The file stands on its own:
/// its flows may name only its own credentials. Flows of the API may name both kinds.
///
/// Flows as of acceptance, see stages::flow_book. Credentials as of today: a record that is retried uses what
/// its id stands for then. Deleting one that records need leaves them where they are; their destination is
/// stopped, with a sentence that names the credential, and goes on by itself once it is there again.
///
/// Of the shard that delivers. Changes are made one at a time, under begin_change(), and are never cancelled
/// half-way: run them with call_on().
class live_configuration {
public:
    struct parts {
        storage::file_system& fs;
        const storage::registry& stores;
        stages::event_log& log;
        const stages::cut_plan* plan = nullptr;  ///< of the layout "batch"
    };
    /// `file` is what the process starts with; `log`, recovered, says what undelivered events need.
    static task<result<std::unique_ptr<live_configuration>>> open(context& x, parts with,
                                                                  const configuration& file);

    /// Of file and API together: for the workbench.
    storage::credential_map credentials() const;
    /// From now on changes of credentials reach `bench`. `progress` is of the source that reads the log.
    void attach(stages::workbench& bench, std::shared_ptr<const stages::ingest_journal::view> progress);
    stages::target_list route(std::string_view flow, std::uint64_t stamp) const {
        return flows_->route(flow, stamp);
    }

    /// Named by flows and default at the moment.
    std::set<storage::destination> destinations() const { return flows_->destinations(); }

    task<permit> begin_change() { return changing_.acquire(); }

    // --- flows ---
    struct flow {
        boost::json::object document{};  ///< as it was saved, or stands in the file
        bool saved = false;              ///< by the API
        std::string etag{};
    };
    std::optional<flow> find_flow(std::string_view id) const;
    std::vector<std::string> flow_ids() const;
    /// For a destination that is about to be saved.
    stages::destination_check check() const;
    task<result<>> save_flow(std::string id, std::string document);
    task<result<>> delete_flow(std::string id);

    // --- credentials ---
    struct credential {
        boost::json::object document{};  ///< secrets and all
        bool saved = false;
        std::string etag{};
    };
    std::optional<credential> find_credential(std::string_view id) const;
    std::vector<std::string> credential_ids() const;
    bool can_save_credentials() const noexcept { return credentials_->can_save(); }
    const storage::registry& stores() const noexcept { return with_.stores; }
    /// `value` is what `document` says.
    task<result<>> save_credential(std::string id, storage::secret document, storage::credential value);
    task<result<>> delete_credential(std::string id);

    /// Who would miss a credential.
    struct need {
        std::vector<std::string> flows{};
        std::uint64_t spooled = 0, parked = 0;
    };
    need needs_of(std::string_view credential_id) const;

    /// Takes flows, default and credentials of a file that has no faults; all of it or, after an error,
    /// nothing.
    task<result<>> reload(const configuration& fresh);

private:
    live_configuration(context& x, parts with, const configuration& file);
    task<std::optional<stages::routing_stamp>> oldest_needed();
    static task<result<std::optional<stages::routing_stamp>>> stamp_at(parts with, stages::log_position from);
    std::optional<boost::json::object> in_file(std::string_view section, std::string_view id) const;
    std::vector<std::string> ids_in_file(std::string_view section) const;
    void put_in_force(const std::string& id);
    void warn_of_flows_without_credential() const;
    task<result<>> read_credentials();

    context& x_;
    parts with_;
    std::filesystem::path base_directory_, data_dir_;
    storage::credential_map of_file_{};
    storage::credential_map of_api_{};
    std::shared_ptr<const boost::json::value> document_{};
    std::unique_ptr<stages::flow_book> flows_{};
    std::unique_ptr<credential_book> credentials_{};
    stages::workbench* bench_ = nullptr;
    std::shared_ptr<const stages::ingest_journal::view> progress_{};
    semaphore changing_;
};

}  // namespace firehose::app
