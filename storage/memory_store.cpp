#include "storage/memory_store.hpp"

#include <boost/asio/post.hpp>

#include <limits>
#include <utility>

namespace firehose::storage {
namespace {

error no_such_object(const std::string& key) {
    error_details d;
    d.context = "there is no object " + key + " in memory";
    d.provider_code = not_found;
    return {disposition::park, std::move(d)};
}

object_info describe(const std::string& key, const memory_object& object) {
    return {key, object.body.size(), std::to_string(std::hash<std::string>()(object.body))};
}

}  // namespace

memory_store::memory_store(std::shared_ptr<memory_bucket> bucket) : bucket_(std::move(bucket)) {
    can_.max_put = std::numeric_limits<std::uint64_t>::max();
    can_.only_if_absent = true;
    can_.list = true;
    can_.remove = true;
    can_.get = true;
}

task<std::optional<error>> memory_store::begin(operation what, const std::string& key) {
    ++bucket_->calls[what];
    if (bucket_->pause) co_await bucket_->pause(what, key);
    auto ex = co_await asio::this_coro::executor;
    co_await asio::post(ex, use_task);  // no real store answers before the call returns
    if (bucket_->fail) co_return bucket_->fail(what, key);
    co_return std::nullopt;
}

task<result<object_info>> memory_store::put(const std::string& key, const payload& body,
                                            const put_options& how, time_source::steady) {
    auto failure = co_await begin(operation::put, key);
    if (failure) co_return std::move(*failure);
    if (how.only_if_absent) {
        const auto there = bucket_->objects.find(key);
        if (there != bucket_->objects.end()) co_return describe(key, there->second);
    }
    memory_object object;
    object.content_type = how.content_type;
    object.content_encoding = how.content_encoding;
    object.metadata = how.metadata;
    object.tags = how.tags;
    for (const auto piece : body)
        object.body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    const auto done = bucket_->objects.insert_or_assign(key, std::move(object));
    co_return describe(key, done.first->second);
}

task<result<object_info>> memory_store::head(const std::string& key, time_source::steady) {
    auto failure = co_await begin(operation::head, key);
    if (failure) co_return std::move(*failure);
    const auto there = bucket_->objects.find(key);
    if (there == bucket_->objects.end()) co_return no_such_object(key);
    co_return describe(key, there->second);
}

task<result<page>> memory_store::list(const std::string& prefix, const std::string& from,
                                      time_source::steady) {
    auto failure = co_await begin(operation::list, prefix);
    if (failure) co_return std::move(*failure);
    const auto& objects = bucket_->objects;
    page answer;
    auto at = from.empty() ? objects.lower_bound(prefix) : objects.upper_bound(from);
    for (; at != objects.end() && at->first.starts_with(prefix); ++at) {
        if (answer.items.size() == bucket_->page_size) {
            answer.next = answer.items.back().key;
            break;
        }
        answer.items.push_back(describe(at->first, at->second));
    }
    co_return answer;
}

task<result<>> memory_store::remove(const std::string& key, time_source::steady) {
    auto failure = co_await begin(operation::remove, key);
    if (failure) co_return std::move(*failure);
    bucket_->objects.erase(key);
    co_return result<>();
}

task<result<std::unique_ptr<multipart>>>
memory_store::start_multipart(const std::string& key, const put_options&, time_source::steady) {
    co_return error(disposition::park,
                    "multipart upload of " + key + ": a store in memory takes whole objects only");
}

task<result<object_body>> memory_store::get(const std::string& key, byte_range which, time_source::steady) {
    auto failure = co_await begin(operation::get, key);
    if (failure) co_return std::move(*failure);
    const auto there = bucket_->objects.find(key);
    if (there == bucket_->objects.end()) co_return no_such_object(key);
    const std::string& whole = there->second.body;
    object_body out;
    out.info = describe(key, there->second);
    if (which.first < whole.size()) out.bytes = whole.substr(which.first, which.count);
    co_return out;
}

task<result<>> memory_store::check(time_source::steady) {
    const std::string no_key;
    auto failure = co_await begin(operation::check, no_key);
    if (failure) co_return std::move(*failure);
    co_return result<>();
}

store_kind memory_kind(std::shared_ptr<memory_buckets> all) {
    store_kind kind;
    kind.check = [](const destination&, const credential*) { return std::string(); };
    kind.make = [all = std::move(all)](const destination& to, const credential*,
                                       store_environment&) -> result<std::unique_ptr<store>> {
        auto& bucket = (*all)[to.bucket];
        if (!bucket) bucket = std::make_shared<memory_bucket>();
        return std::unique_ptr<store>(std::make_unique<memory_store>(bucket));
    };
    return kind;
}

}  // namespace firehose::storage
