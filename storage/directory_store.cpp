#include "storage/directory_store.hpp"

#include "pipeline/blocking.hpp"
#include "storage/directory_tree.hpp"

#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

namespace firehose::storage {
namespace {

error too_late(const std::string& what) {
    return {disposition::retry,
            what + ": its deadline passed before the disk got to it; the disk is slow or the "
                   "deadline short"};
}

}  // namespace

/// One put() in the queue or in the running group. Lives in the frame of put().
struct directory_store::waiting {
    tree_put request{};
    time_source::steady deadline{};
    bool taken = false;  // by a group: its job may be using the request
    bool done = false;   // the request has its outcome
    bool cancelled = false;
};

directory_store::directory_store(context& x, std::filesystem::path base, std::string bucket,
                                 directory_options how)
    : x_(x),
      how_(how),
      tree_(std::make_unique<directory_tree>(std::move(base), bucket, how.sync_together_from,
                                             how.calls ? *how.calls : system_file_calls())),
      changed_(x.ex) {
    can_.max_put = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    can_.only_if_absent = true;
    can_.list = true;
    can_.remove = true;
    can_.get = true;
    can_.put_file = true;
}

directory_store::~directory_store() = default;

task<result<object_info>> directory_store::put(const std::string& key, const payload& body,
                                               const put_options& how, time_source::steady deadline) {
    return put_in_turn({{key, &body, nullptr, how.only_if_absent}, deadline});
}

task<result<object_info>> directory_store::put_file(const std::string& key, const body_file& body,
                                                    const put_options& how, time_source::steady deadline) {
    return put_in_turn({{key, nullptr, &body, how.only_if_absent}, deadline});
}

task<result<object_info>> directory_store::put_in_turn(waiting mine) {
    queue_.push_back(&mine);

    // From here to the end of its group nobody may throw out of this frame: the job reads the body.
    const bool saved = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    std::exception_ptr failure;
    try {
        co_await settle(mine);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(saved);
    std::erase(queue_, &mine);
    if (failure) std::rethrow_exception(failure);
    if (mine.cancelled) throw boost::system::system_error(asio::error::operation_aborted);
    co_return std::move(*mine.request.outcome);
}

/// Returns when it is done, or with `cancelled` when no group had taken it.
task<> directory_store::settle(waiting& mine) {
    while (!mine.done) {
        if (!committing_) {
            co_await commit();  // ours is in that group, or in the next one
            continue;
        }
        error_code ec;
        auto quiet = asio::redirect_error(use_task, ec);
        co_await changed_.async_wait(quiet);
        if (ec && !mine.taken) {
            mine.cancelled = true;
            co_return;
        }
    }
}

std::vector<directory_store::waiting*> directory_store::take_group() {
    const auto now = x_.time.now();
    std::vector<waiting*> group;
    std::vector<waiting*> later;
    for (auto* each : queue_) {
        if (now >= each->deadline) {
            each->request.outcome.emplace(too_late("put(" + std::string(each->request.key) + ")"));
            each->done = true;
        } else if (group.size() == how_.largest_group) {
            later.push_back(each);
        } else {
            each->taken = true;
            group.push_back(each);
        }
    }
    queue_ = std::move(later);
    return group;
}

/// Writes one group and wakes everybody: those it served, and one of the others who does the next.
task<> directory_store::commit() {
    committing_ = true;
    std::vector<waiting*> group;
    std::vector<tree_put*> requests;
    std::exception_ptr failure;
    try {
        group = take_group();
        for (auto* each : group) requests.push_back(&each->request);
        auto job = [tree = tree_.get(), &requests] { tree->put(requests); };
        auto written = run_blocking(x_.blocking, job);
        if (!requests.empty()) co_await std::move(written);
    } catch (...) {
        failure = std::current_exception();
    }
    for (auto* each : group) {
        auto& outcome = each->request.outcome;
        if (!outcome)
            outcome.emplace(error(disposition::retry, "writing to the directory stopped unexpectedly"));
        each->done = true;
    }
    committing_ = false;
    changed_.wake_all();
    if (failure) std::rethrow_exception(failure);
}

task<result<object_info>> directory_store::head(const std::string& key, time_source::steady deadline) {
    if (x_.time.now() >= deadline) co_return too_late("head(" + key + ")");
    auto job = [tree = tree_.get(), &key] { return tree->head(key); };
    auto found = run_blocking(x_.blocking, job);
    co_return co_await std::move(found);
}

task<result<page>> directory_store::list(const std::string& prefix, const std::string& from,
                                         time_source::steady deadline) {
    if (x_.time.now() >= deadline) co_return too_late("list(" + prefix + ")");
    auto job = [tree = tree_.get(), &prefix, &from, limit = how_.page_size] {
        return tree->list(prefix, from, limit);
    };
    auto found = run_blocking(x_.blocking, job);
    co_return co_await std::move(found);
}

task<result<>> directory_store::remove(const std::string& key, time_source::steady deadline) {
    if (x_.time.now() >= deadline) co_return too_late("remove(" + key + ")");
    auto job = [tree = tree_.get(), &key] { return tree->remove(key); };
    auto removed = run_blocking(x_.blocking, job);
    co_return co_await std::move(removed);
}

task<result<std::unique_ptr<multipart>>>
directory_store::start_multipart(const std::string& key, const put_options&, time_source::steady) {
    co_return error(disposition::park,
                    "multipart upload of " + key + ": a directory takes whole objects only");
}

task<result<object_body>> directory_store::get(const std::string& key, byte_range which,
                                               time_source::steady deadline) {
    if (x_.time.now() >= deadline) co_return too_late("get(" + key + ")");
    auto job = [tree = tree_.get(), &key, which] { return tree->read(key, which); };
    auto found = run_blocking(x_.blocking, job);
    co_return co_await std::move(found);
}

task<result<>> directory_store::check(time_source::steady deadline) {
    if (x_.time.now() >= deadline) co_return too_late("check()");
    auto job = [tree = tree_.get()] { return tree->check(); };
    auto checked = run_blocking(x_.blocking, job);
    co_return co_await std::move(checked);
}

store_kind directory_kind() {
    store_kind kind;
    kind.check = [](const destination& to, const credential*) {
        const auto problem = split_path(to.bucket).problem;
        if (problem.empty()) return std::string();
        return "the folder \"" + to.bucket + "\" cannot be used: " + problem +
               "; name a folder below the directory of the configuration file, like \"out\" or \"data/out\"";
    };
    kind.make = [](const destination& to, const credential*,
                   store_environment& env) -> result<std::unique_ptr<store>> {
        return std::unique_ptr<store>(
            std::make_unique<directory_store>(env.shard, env.base_directory, to.bucket));
    };
    return kind;
}

}  // namespace firehose::storage
