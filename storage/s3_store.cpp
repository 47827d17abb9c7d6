#include "storage/s3_store.hpp"

#include "http/client.hpp"
#include "http/url.hpp"
#include "storage/multipart_plan.hpp"
#include "storage/multipart_upload.hpp"
#include "storage/s3_upload.hpp"

#include <pugixml.hpp>

#include <algorithm>

namespace firehose::storage {

namespace {

constexpr std::uint64_t largest_put = std::uint64_t{5} << 30;
constexpr std::uint64_t smallest_part = std::uint64_t{5} << 20;
constexpr std::uint64_t most_parts = 10'000;
constexpr std::size_t longest_key = 1024;
constexpr std::uint64_t largest_get = std::uint64_t{8} << 20;  // below what a client takes as one answer

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

/// One answer to GET as a piece of the object from `first` on.
struct piece {
    std::uint64_t first = 0;
    std::uint64_t object_size = 0;
};

/// "bytes 0-99/1234"
std::optional<piece> read_content_range(std::string_view text) {
    constexpr std::string_view unit = "bytes ";
    if (!text.starts_with(unit)) return std::nullopt;
    text.remove_prefix(unit.size());
    const auto dash = text.find('-');
    const auto slash = text.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos) return std::nullopt;
    const auto first = whole_number(text.substr(0, dash));
    const auto size = whole_number(text.substr(slash + 1));
    if (!first || !size) return std::nullopt;
    return piece{*first, *size};
}

std::optional<piece> piece_of(const http::response& r) {
    if (r.status == 206) return read_content_range(header_or_empty(r, "content-range"));
    return piece{0, r.body.size()};  // ranges are not obeyed: it is all of it
}

}  // namespace

s3_store::s3_store(context& shard, http::transport_factory connect, credential with, std::string bucket,
                   s3_location at, s3_options how)
    : in_(std::make_shared<s3_remote>(shard, std::move(connect), std::move(with), std::move(bucket),
                                      std::move(at), std::move(how))) {
    can_.max_put = largest_put;
    can_.min_part = smallest_part;
    can_.max_parts = most_parts;
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

task<result<object_body>> s3_store::get(const std::string& key, byte_range which,
                                        time_source::steady deadline) {
    object_body out;
    out.info.key = key;
    std::uint64_t wanted = which.count;
    if (wanted == 0) co_return co_await get_nothing(key, deadline);
    while (wanted > 0) {
        const std::uint64_t from = which.first + out.bytes.size();
        const std::uint64_t last = from + std::min(wanted, largest_get) - 1;
        if (last < from) co_return co_await get_nothing(key, deadline);  // past all numbers, so past the end
        auto req = in_->about("GET", key);
        req.headers.emplace_back("Range", "bytes=" + std::to_string(from) + "-" + std::to_string(last));
        if (!out.info.etag.empty()) req.headers.emplace_back("If-Match", "\"" + out.info.etag + "\"");
        auto answer = co_await in_->retrying.send(req, deadline);
        if (!answer.has_value()) {
            const auto& why = answer.error();
            if (says_absent(why)) co_return in_->absent("GET", key);
            if (why.status() == 416) co_return co_await get_nothing(key, deadline);
            if (why.status() != 412) co_return in_->explain("GET", key, why);
            co_return in_->explain("GET", key,
                                   error(disposition::retry, "it was replaced while it was read"));
        }
        const auto got = piece_of(*answer);
        const bool fits = got && got->first <= from && from <= got->first + answer->body.size();
        if (!fits)
            co_return in_->explain("GET", key,
                                   error(disposition::retry, "the answer is not the range asked for"));
        const auto useful = std::string_view(answer->body).substr(from - got->first, last - from + 1);
        out.info.size = got->object_size;
        if (out.info.etag.empty()) out.info.etag = etag_of(*answer);
        out.bytes.append(useful);
        wanted -= useful.size();
        if (from + useful.size() >= got->object_size) break;
        if (useful.empty())
            co_return in_->explain("GET", key, error(disposition::retry, "the answer holds nothing of it"));
    }
    co_return out;
}

/// Nothing of the object lies in the range asked for.
task<result<object_body>> s3_store::get_nothing(const std::string& key, time_source::steady deadline) {
    auto found = co_await head(key, deadline);
    if (!found.has_value()) co_return found.error();
    object_body out;
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
    const std::string name = "credential " + to.credential_id;
    if (with->username.empty()) return name + " has no username, which is the access key id";
    const bool visible = std::ranges::all_of(
        with->username, [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ','; });
    if (!visible) return name + ": the username is not an access key id";
    if (with->password.empty()) return name + " has no password, which is the secret access key";
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
        auto at = locate_s3(*with, to.bucket, s3_region(*with), options.given.style);
        if (!at.has_value()) return at.error();
        return std::unique_ptr<store>(std::make_unique<s3_store>(
            env.shard, env.http.transports(), *with, to.bucket, std::move(*at), std::move(options)));
    };
    return kind;
}

}  // namespace firehose::storage
