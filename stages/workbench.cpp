#include "stages/workbench.hpp"

#include "http/client.hpp"
#include "pipeline/blocking.hpp"
#include "stages/directory_spool.hpp"
#include "stages/distant_spool.hpp"
#include "storage/file_system.hpp"

#include <algorithm>
#include <vector>

namespace firehose::stages {
namespace {

std::filesystem::path real_path(const std::filesystem::path& path) {
    std::error_code failed;
    const auto absolute = std::filesystem::absolute(path).lexically_normal();
    auto real = std::filesystem::weakly_canonical(absolute, failed);
    if (failed) real = absolute;
    return real.has_filename() ? real : real.parent_path();
}

bool is_within(const std::filesystem::path& inner, const std::filesystem::path& outer) {
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

http::client_options unguarded(http::client_options how) {
    how.guard.reset();
    return how;
}

}  // namespace

/// What spool and delivery refer to, so it goes last.
struct workbench::foundation {
    foundation(context& x, workbench_options options)
        : how(std::move(options)),
          http(x, how.http),
          own(x, unguarded(how.http)),
          credentials({x, own.transports(), how.machine}),
          environment{x, http, how.base_directory} {
        environment.credentials = &credentials;
        environment.settings = [this](const storage::destination& to) {
            return storage::find_settings(how.destinations, to);
        };
    }
    foundation(const foundation&) = delete;

    workbench_options how;
    http::client http;
    http::client own;  ///< to where the operator's credentials come from, which may well be this machine
    storage::credential_sources credentials;
    storage::store_environment environment;
    storage::system_files files{};
};

workbench::workbench() = default;
workbench::~workbench() = default;

storage::credential_sources& workbench::credentials() const noexcept { return base_->credentials; }

const storage::credential_map& workbench::known_credentials() const noexcept {
    return base_->how.credentials;
}

void workbench::set_credential(const std::string& id, std::optional<storage::credential> now) {
    if (now)
        base_->how.credentials.insert_or_assign(id, std::move(*now));
    else
        base_->how.credentials.erase(id);
    base_->credentials.forget(id);
    delivery_->credential_changed(id);
}

task<result<std::unique_ptr<workbench>>> workbench::open(context& x, workbench_options how) {
    std::unique_ptr<workbench> bench(new workbench);
    bench->base_ = std::make_unique<foundation>(x, std::move(how));
    auto& base = *bench->base_;
    const directory_spool_options defaults;
    auto spool = co_await directory_spool::open(x, base.files, base.how.data_dir, defaults);
    if (!spool) co_return spool.error();
    bench->spool_ = std::move(*spool);
    bench->files_ = std::make_shared<object_files>(std::make_shared<storage::system_files>(),
                                                   base.how.data_dir / "objects", x.random);
    auto clear = [files = bench->files_] { files->clear(); };
    co_await run_blocking(x.blocking, std::move(clear));
    if (base.how.sqs) {
        auto shared = co_await open_sqs_spool(x, *base.how.sqs, base.how.credentials, base.credentials,
                                              base.how.http, std::move(bench->spool_));
        if (!shared) co_return shared.error();
        bench->spool_ = std::move(*shared);
    }
    bench->make_delivery(x);
    co_return bench;
}

std::unique_ptr<workbench> workbench::open_beside(context& x, workbench_options how, executor home_shard,
                                                  const workbench& home) {
    std::unique_ptr<workbench> bench(new workbench);
    bench->base_ = std::make_unique<foundation>(x, std::move(how));
    bench->spool_ = std::make_unique<distant_spool>(std::move(home_shard), home.spool());
    bench->files_ = home.files();
    bench->make_delivery(x);
    return bench;
}

void workbench::make_delivery(context& x) {
    auto& base = *base_;
    books_ = std::make_shared<account>();
    const stages::delivery::parts parts{base.how.stores, base.how.credentials, base.environment, *spool_,
                                        books_};
    delivery_ = std::make_shared<stages::delivery>(x, parts, base.how.delivery);
}

normalize_config::options workbench::routing(target_list otherwise) const {
    normalize_config::options how;
    auto table = std::make_shared<routing_table>();
    table->otherwise = std::move(otherwise);
    how.routing = std::move(table);
    how.books = books_;
    const auto known = [&base = *base_](const storage::destination& to) {
        return check_destination(base.how.stores, base.how.credentials, to);
    };
    how.check = apart_from_spool(known, base_->how.base_directory, base_->how.data_dir);
    return how;
}

destination_check apart_from_spool(destination_check also, const std::filesystem::path& base_directory,
                                   const std::filesystem::path& data_dir) {
    const auto root = real_path(base_directory);
    const auto data = real_path(data_dir);
    std::vector<std::filesystem::path> own{data};
    // Every folder lies in data_dir: that must not forbid all.
    if (is_within(root, data)) {
        own.clear();
        for (const auto* name :
             {"spool", "objects", "plans", "events", "sources", "flows", "routing", "credentials"})
            own.push_back(data / name);
    }
    return [also = std::move(also), root, own](const storage::destination& to) {
        auto problem = also ? also(to) : std::string();
        if (!problem.empty() || to.type != "directory") return problem;
        const auto folder = (root / to.bucket).lexically_normal();
        const auto shares = [&folder](const std::filesystem::path& ours) {
            return is_within(folder, ours) || is_within(ours, folder);
        };
        if (std::ranges::none_of(own, shares)) return problem;
        return "the folder \"" + to.bucket + "\" cannot be used: the spool lies there (data_dir)";
    };
}

target_list everything_to(storage::destination where) {
    return std::make_shared<const std::vector<target>>(1, target{std::move(where), {}});
}

}  // namespace firehose::stages
