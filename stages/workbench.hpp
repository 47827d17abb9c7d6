/// Everything delivery needs, opened and owned in one place: for programs that compose a pipeline.
#pragma once
#include "http/options.hpp"
#include "pipeline/stage.hpp"
#include "stages/account.hpp"
#include "stages/delivery.hpp"
#include "stages/normalize_config.hpp"
#include "stages/object_files.hpp"
#include "stages/open_sqs_spool.hpp"
#include "stages/spool_backend.hpp"
#include "storage/credential_sources.hpp"
#include "storage/registry.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace firehose::stages {

struct workbench_options {
    std::filesystem::path base_directory = ".";  ///< directory stores and relative paths start here
    std::filesystem::path data_dir = "data";     ///< the spool lives here; one process at a time
    storage::registry stores = storage::default_registry();
    storage::credential_map credentials{};
    std::vector<storage::settings_rule> destinations{};  ///< how objects are stored, by destination
    delivery_options delivery{};
    http::client_options http{};
    std::optional<sqs_spool_settings> sqs{};  ///< the spool is this queue; data_dir has what it does not take
    /// Where credentials look for variables and files; without variables unless a program gives them.
    storage::machine machine = storage::machine_without_variables();
};

/// One per shard; outlives the pipelines that use it.
class workbench {
public:
    /// Recovers the spool, which takes as long as reading it. Fails when the data directory cannot be
    /// used or another process has it. May be cancelled; leaves nothing behind.
    static task<result<std::unique_ptr<workbench>>> open(context& x, workbench_options how);
    /// For another shard: with books, stores and connections of its own, and the spool and the files of
    /// `home`, which outlives it, as does the shard it is on.
    static std::unique_ptr<workbench> open_beside(context& x, workbench_options how, executor home_shard,
                                                  const workbench& home);
    ~workbench();

    const std::shared_ptr<stages::delivery>& delivery() const noexcept { return delivery_; }
    const std::shared_ptr<account>& books() const noexcept { return books_; }
    spool_backend& spool() const noexcept { return *spool_; }
    /// For gather(): of this data_dir, shared by all benches beside one another.
    const std::shared_ptr<object_files>& files() const noexcept { return files_; }
    /// What the stores of this bench sign with.
    storage::credential_sources& credentials() const noexcept;

    /// What is known at the moment, by id.
    const storage::credential_map& known_credentials() const noexcept;
    /// From now on: a new credential, another one of that id, or none. What was stopped for want of it, or
    /// refused with the one before, is tried at once. Stores must not keep the address of a credential.
    void set_credential(const std::string& id, std::optional<storage::credential> now);

    /// For normalize_config: this bench's books, its destination check, apart_from_spool() included, and
    /// `otherwise` for events that bring no `firehose` object.
    normalize_config::options routing(target_list otherwise = {}) const;

private:
    struct foundation;
    workbench();
    void make_delivery(context& x);

    std::unique_ptr<foundation> base_;
    std::unique_ptr<spool_backend> spool_;
    std::shared_ptr<object_files> files_;
    std::shared_ptr<account> books_;
    std::shared_ptr<stages::delivery> delivery_;
};

/// `also`, and besides: no directory target may share a folder with the spool. An event may name its own
/// folder, and must not get at the spool's files. The paths are looked up once, here.
destination_check apart_from_spool(destination_check also, const std::filesystem::path& base_directory,
                                   const std::filesystem::path& data_dir);

/// A list of one target, for routing(): everything goes to `where`.
target_list everything_to(storage::destination where);

}  // namespace firehose::stages
