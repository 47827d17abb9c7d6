#include "storage/s3_store.hpp"

#include "http/client.hpp"
#include "http/url.hpp"
#include "storage/credential_rules.hpp"
#include "storage/multipart_plan.hpp"
#include "storage/multipart_upload.hpp"
#include "storage/ranged_get.hpp"
#include "storage/s3_keys.hpp"
#include "storage/s3_upload.hpp"

#include <pugixml.hpp>

#include <algorithm>

namespace firehose::storage {

namespace {

constexpr std::uint64_t largest_put = std::uint64_t{5} << 30;
constexpr std::uint64_t smallest_part = std::uint64_t{5} << 20;
constexpr std::size_t longest_key = 1024;

/// The names S3 gives back under encoding-type=url: a blank may come as '+', a plus never does.
std::string listed_name(std::string_view text, bool encoded) {
    if (!encoded) return std::string(text);
    std::string plain(text);
    std::ranges::replace(plain, '+', ' ');
    return http::decode_percent(plain);
}

std::optional<page> read_listing(std::string_view body) {
    pugi::xml_document document;
    const auto parsed =
        document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
    const auto root = document.child("ListBucketResult");
    if (!parsed || !root) return std::nullopt;
    const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
    page out;
    for (const auto item : root.children("Contents")) {
        const auto size = whole_number(item.child_value("Size"));
        if (!item.child("Key") || !size) return std::nullopt;
        out.items.push_back(
            {listed_name(item.child_value("Key"), encoded), *size, unquoted(item.child_value("ETag"))});
    }
    if (std::string_view(root.child_value("IsTruncated")) == "true") {
        out.next = root.child_value("NextContinuationToken");
        if (out.next.empty()) return std::nullopt;  // there is more, but no way to get at it
    }
    return out;
}

std::string key_problem(std::string_view key) {
    if (!key.empty() && key.size() <= longest_key) return {};
    return "a key has 1 to 1024 bytes, this one has " + std::to_string(key.size());
}

}  // namespace

s3_store::s3_store(context& shard, http::transport_factory connect, credential with, std::string bucket,
                   s3_location at, s3_options how)
    : in_(std::make_shared<s3_remote>(shard, std::move(connect), std::move(with), std::move(bucket),
                                      std::move(at), std::move(how))) {
    can_.max_put = largest_put;
    can_.min_part = smallest_part;
    can_.max_parts = s3_upload::most_parts;
    can_.only_if_absent = true;
    can_.list = true;
    can_.remove = true;
    can_.get = true;
}

task<result<object_info>> s3_store::put(const std::string& key, const payload& body, const put_options& how,
                                        time_source::steady deadline) {
    const auto problem = key_problem(key);
    if (!problem.empty()) co_return in_->explain("PUT", key.substr(0, 64), error(disposition::park, problem));
    const std::uint64_t size = size_of(body);
    if (goes_in_parts(size, can_, in_->how.given.parts))
        co_return co_await put_in_parts(key, body, how, deadline);
    auto about_object = object_headers(in_->how.given, how);
    if (!about_object.has_value()) co_return in_->explain("PUT", key, about_object.error());
    auto req = in_->about("PUT", key);
    req.body = body;
    guard_body(req, in_->guard());
    req.headers.insert(req.headers.end(), about_object->begin(), about_object->end());
    if (how.only_if_absent) req.headers.emplace_back("If-None-Match", "*");
    auto answer = co_await in_->retrying.send(req, deadline);
    if (answer.has_value()) co_return object_info{key, size, etag_of(*answer)};
    // The key is a function of the content's identity: what is there is what we would have written.
    if (how.only_if_absent && answer.error().status() == 412) co_return object_info{key, size, {}};
    co_return in_->explain("PUT", key, answer.error());
}

task<result<object_info>> s3_store::put_in_parts(const std::string& key, const payload& body,
                                                 const put_options& how, time_source::steady deadline) {
    multipart_options options;
    options.parts = in_->how.given.parts;
    co_return co_await upload_in_parts(*this, in_->shard, key, body, how, deadline, options);
}

task<result<object_info>> s3_store::head(const std::string& key, time_source::steady deadline) {
    return s3_head(*in_, key, deadline);
}

task<result<page>> s3_store::list(const std::string& prefix, const std::string& from,
                                  time_source::steady deadline) {
    std::string query;
    if (!from.empty()) query.append("continuation-token=").append(http::encode_query(from)).append("&");
    query.append("encoding-type=url&list-type=2&prefix=").append(http::encode_query(prefix));
    auto req = in_->about_bucket("GET", query);
    auto answer = co_await in_->retrying.send(req, deadline);
    if (!answer.has_value()) co_return in_->explain("LIST", prefix, answer.error());
    auto listing = read_listing(answer->body);
    if (!listing)
        co_return in_->explain("LIST", prefix,
                               error(disposition::retry, "the answer is not a whole listing"));
    co_return std::move(*listing);
}

task<result<>> s3_store::remove(const std::string& key, time_source::steady deadline) {
    auto req = in_->about("DELETE", key);
    auto answer = co_await in_->retrying.send(req, deadline);
    if (answer.has_value() || answer.error().provider_code() == "NoSuchKey") co_return result<>();
    co_return in_->explain("DELETE", key, answer.error());
}

task<result<std::unique_ptr<multipart>>>
s3_store::start_multipart(const std::string& key, const put_options& how, time_source::steady deadline) {
    const auto problem = key_problem(key);
    if (!problem.empty())
        co_return in_->explain("POST", key.substr(0, 64), error(disposition::park, problem));
    co_return co_await s3_upload::start(in_, key, how, deadline);
}

task<result<std::unique_ptr<multipart>>> s3_store::resume_multipart(const std::string& key,
                                                                    const std::string& token,
                                                                    const put_options& how,
                                                                    time_source::steady deadline) {
    return s3_upload::resume(in_, key, token, how, deadline);
}

task<result<http::response>> s3_store::get_range(std::string key, std::uint64_t first, std::uint64_t last,
                                                 std::string etag, time_source::steady deadline) {
    auto req = in_->about("GET", key);
    ask_for_range(req, first, last, etag);
    auto answer = co_await in_->retrying.send(req, deadline);
    co_return answer;
}

task<result<object_body>> s3_store::get(const std::string& key, byte_range which,
                                        time_source::steady deadline) {
    const auto ask = [this, &key, deadline](std::uint64_t first, std::uint64_t last,
                                            const std::string& etag) {
        return get_range(key, first, last, etag, deadline);
    };
    auto read = co_await get_ranges(ask, which);
    if (!read.has_value()) {
        if (says_absent(read.error())) co_return in_->absent("GET", key);
        co_return in_->explain("GET", key, read.error());
    }
    object_body out;
    if (read->has_value()) {
        out = std::move(**read);
        out.info.key = key;
        co_return out;
    }
    auto found = co_await head(key, deadline);
    if (!found.has_value()) co_return found.error();
    out.info = std::move(*found);
    co_return out;
}

task<result<>> s3_store::check(time_source::steady deadline) {
    auto req = in_->about_bucket("HEAD");
    auto answer = co_await in_->retrying.send(req, deadline);
    if (answer.has_value()) co_return result<>();
    co_return in_->explain("HEAD", {}, answer.error());
}

namespace {

std::string s3_check(const destination& to, const credential* with) {
    auto problem = s3_bucket_problem(to.bucket);
    if (!problem.empty()) return problem;
    problem = credential_problem(to, with, "user", "S3");
    if (!problem.empty()) return problem;
    problem = aws_credential_problem(*with, "credential " + to.credential_id);
    if (!problem.empty()) return problem;
    const auto at = locate_s3(*with, to.bucket, s3_region(*with));
    return at.has_value() ? std::string() : at.error().context();
}

}  // namespace

store_kind s3_kind(s3_options how) {
    store_kind kind;
    kind.needs_credential = true;
    kind.check = s3_check;
    kind.make = [how](const destination& to, const credential* with,
                      store_environment& env) -> result<std::unique_ptr<store>> {
        const auto problem = s3_check(to, with);
        if (!problem.empty()) return error(disposition::stop, problem);
        auto options = how;
        options.given = env.settings_of(to);
        if (can_change(*with)) {
            auto keys = source_of(*with, env);
            if (!keys.has_value()) return keys.error();
            options.keys = keys_from(std::move(*keys));
        }
        auto at = locate_s3(*with, to.bucket, s3_region(*with), options.given.style);
        if (!at.has_value()) return at.error();
        return std::unique_ptr<store>(std::make_unique<s3_store>(
            env.shard, env.transports(), *with, to.bucket, std::move(*at), std::move(options)));
    };
    return kind;
}

}  // namespace firehose::storage
