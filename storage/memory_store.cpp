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

std::string joined(const payload& body) {
    std::string out;
    for (const auto piece : body) out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return out;
}

memory_object made(std::string body, const put_options& how) {
    return {std::move(body), how.content_type, how.content_encoding, how.metadata, how.tags};
}

/// Before every operation.
task<std::optional<error>> begin(memory_bucket& bucket, operation what, const std::string& key) {
    ++bucket.calls[what];
    if (bucket.pause) co_await bucket.pause(what, key);
    auto ex = co_await asio::this_coro::executor;
    co_await asio::post(ex, use_task);  // no real store answers before the call returns
    if (bucket.fail) co_return bucket.fail(what, key);
    co_return std::nullopt;
}

error no_upload(const std::string& key) {
    error_details d;
    d.context = "there is no such upload of " + key + " in memory";
    d.provider_code = no_such_upload;
    return {disposition::retry, std::move(d)};
}

class memory_upload final : public multipart {
public:
    memory_upload(std::shared_ptr<memory_bucket> bucket, std::string key, put_options how, std::string token)
        : bucket_(std::move(bucket)), key_(std::move(key)), how_(std::move(how)), token_(std::move(token)) {}

    task<result<>> put_part(int number, const payload& body, time_source::steady) override {
        auto bytes = joined(body);
        const auto upload = bucket_->uploads.find(token_);
        const bool there = upload != bucket_->uploads.end() && upload->second.contains(number) &&
                           upload->second.at(number) == bytes;
        if (there) co_return result<>();
        auto failure = co_await begin(*bucket_, operation::put_part, key_);
        if (failure) co_return std::move(*failure);
        if (!bucket_->uploads.contains(token_)) co_return no_upload(key_);
        bucket_->uploads[token_][number] = std::move(bytes);
        co_return result<>();
    }
    task<result<object_info>> complete(time_source::steady) override {
        auto failure = co_await begin(*bucket_, operation::complete, key_);
        if (failure) co_return std::move(*failure);
        const auto upload = bucket_->uploads.find(token_);
        if (upload == bucket_->uploads.end()) co_return no_upload(key_);
        std::string body;
        for (const auto& [number, part] : upload->second) body += part;
        bucket_->uploads.erase(upload);
        const auto there = bucket_->objects.find(key_);
        if (how_.only_if_absent && there != bucket_->objects.end()) co_return describe(key_, there->second);
        const auto done = bucket_->objects.insert_or_assign(key_, made(std::move(body), how_));
        co_return describe(key_, done.first->second);
    }
    task<> abort() override {
        auto failure = co_await begin(*bucket_, operation::abort, key_);
        if (!failure) bucket_->uploads.erase(token_);
    }
    std::string token() const override { return token_; }

private:
    std::shared_ptr<memory_bucket> bucket_;
    std::string key_;
    put_options how_;
    std::string token_;
};

}  // namespace

memory_store::memory_store(std::shared_ptr<memory_bucket> bucket) : bucket_(std::move(bucket)) {
    can_.max_put = std::numeric_limits<std::uint64_t>::max();
    can_.min_part = 1;
    can_.max_parts = 10'000;
    can_.only_if_absent = true;
    can_.list = true;
    can_.remove = true;
    can_.get = true;
}

task<result<object_info>> memory_store::put(const std::string& key, const payload& body,
                                            const put_options& how, time_source::steady) {
    auto failure = co_await begin(*bucket_, operation::put, key);
    if (failure) co_return std::move(*failure);
    if (how.only_if_absent) {
        const auto there = bucket_->objects.find(key);
        if (there != bucket_->objects.end()) co_return describe(key, there->second);
    }
    const auto done = bucket_->objects.insert_or_assign(key, made(joined(body), how));
    co_return describe(key, done.first->second);
}

task<result<object_info>> memory_store::head(const std::string& key, time_source::steady) {
    auto failure = co_await begin(*bucket_, operation::head, key);
    if (failure) co_return std::move(*failure);
    const auto there = bucket_->objects.find(key);
    if (there == bucket_->objects.end()) co_return no_such_object(key);
    co_return describe(key, there->second);
}

task<result<page>> memory_store::list(const std::string& prefix, const std::string& from,
                                      time_source::steady) {
    auto failure = co_await begin(*bucket_, operation::list, prefix);
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
    auto failure = co_await begin(*bucket_, operation::remove, key);
    if (failure) co_return std::move(*failure);
    bucket_->objects.erase(key);
    co_return result<>();
}

task<result<std::unique_ptr<multipart>>>
memory_store::start_multipart(const std::string& key, const put_options& how, time_source::steady) {
    auto failure = co_await begin(*bucket_, operation::start, key);
    if (failure) co_return std::move(*failure);
    auto token = std::to_string(++bucket_->uploads_begun);
    bucket_->uploads[token];
    co_return std::unique_ptr<multipart>(
        std::make_unique<memory_upload>(bucket_, key, how, std::move(token)));
}

task<result<std::unique_ptr<multipart>>> memory_store::resume_multipart(const std::string& key,
                                                                        const std::string& token,
                                                                        const put_options& how,
                                                                        time_source::steady) {
    auto failure = co_await begin(*bucket_, operation::start, key);
    if (failure) co_return std::move(*failure);
    if (!bucket_->uploads.contains(token)) co_return no_upload(key);
    co_return std::unique_ptr<multipart>(std::make_unique<memory_upload>(bucket_, key, how, token));
}

task<result<object_body>> memory_store::get(const std::string& key, byte_range which, time_source::steady) {
    auto failure = co_await begin(*bucket_, operation::get, key);
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
    auto failure = co_await begin(*bucket_, operation::check, no_key);
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
