#include "storage/azure_store.hpp"

#include "http/client.hpp"
#include "storage/azure_blocks.hpp"
#include "storage/azure_labels.hpp"
#include "storage/credential_rules.hpp"
#include "storage/multipart_plan.hpp"
#include "storage/multipart_upload.hpp"
#include "storage/ranged_get.hpp"

#include <pugixml.hpp>

#include <algorithm>

namespace firehose::storage {

namespace {

/// The oldest version that says which names in a listing are encoded.
constexpr std::string_view protocol_version = "2021-12-02";
constexpr std::uint64_t largest_put = std::uint64_t{5000} << 20;
constexpr std::size_t longest_key = 1024;

/// Azure counts characters.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Azure resolves such parts before it looks at the name, so the blob would get another one.
bool has_dot_part(std::string_view path) {
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        const auto part = path.substr(at, end - at);
        if (part == "." || part == "..") return true;
        at = end + 1;
    }
    return false;
}

std::string key_problem(std::string_view key) {
    const std::size_t length = characters(key);
    if (length == 0 || length > longest_key)
        return "a key has 1 to 1024 characters, this one has " + std::to_string(length);
    if (has_dot_part(key)) return "Azure cannot keep a key with a part that is '.' or '..'";
    return {};
}

std::optional<page> read_listing(std::string_view body) {
    pugi::xml_document document;
    const auto parsed = document.load_buffer(
        body.data(), body.size(), pugi::parse_default | pugi::parse_ws_pcdata_single, pugi::encoding_utf8);
    const auto root = document.child("EnumerationResults");
    const auto blobs = root.child("Blobs");
    if (!parsed || !blobs) return std::nullopt;
    page out;
    for (const auto blob : blobs.children("Blob")) {
        const auto name = blob.child("Name");
        const auto properties = blob.child("Properties");
        const auto size = whole_number(properties.child_value("Content-Length"));
        if (!name || !size) return std::nullopt;
        const bool encoded = std::string_view(name.attribute("Encoded").value()) == "true";
        std::string key = name.child_value();
        if (encoded) key = http::decode_percent(key);
        out.items.push_back({std::move(key), *size, unquoted(properties.child_value("Etag"))});
    }
    out.next = root.child_value("NextMarker");
    return out;
}

}  // namespace

azure_container::azure_container(context& of, const http::transport_factory& connect,
                                 const azure_connection& at, std::string called,
                                 std::shared_ptr<credential_source> from, azure_options how)
    : shard(of),
      name(std::move(called)),
      base(at.endpoint.path + "/" + name),
      settings(std::move(how.settings)),
      access(std::move(from)),
      exchange(of, connect, at, name, access, settings),
      limited(exchange, of, how.at_once),
      retrying(limited, of.time, of.random, how.retries) {}

http::request azure_container::about(std::string_view method, std::string_view key,
                                     std::string_view query) const {
    http::request req;
    req.method = method;
    req.target = base;
    if (!key.empty()) req.target.append("/").append(http::encode_path(key));
    if (!query.empty()) req.target.append("?").append(query);
    req.headers.reserve(12);
    req.headers.emplace_back("x-ms-version", protocol_version);
    return req;
}

error azure_container::explain_absence(std::string_view method, const std::string& key,
                                       const error& why) const {
    const bool absent =
        why.status() == 404 && (why.provider_code().empty() || why.provider_code() == "BlobNotFound");
    if (!absent) return explain(method, key, why);
    error_details d;
    d.status = 404;
    d.provider_code = not_found;
    d.context.append(method).append(" ").append(name).append("/").append(key);
    d.context.append(": 404, there is no such blob");
    return {disposition::park, std::move(d)};
}

error azure_container::explain(std::string_view method, std::string_view key, const error& why) const {
    error_details d = why.details();
    std::string text(method);
    text.append(" ").append(name);
    if (!key.empty()) text.append("/").append(key);
    d.context = text.append(": ").append(why.context());
    return {why.what(), std::move(d)};
}

azure_store::azure_store(context& shard, const http::transport_factory& connect, const azure_connection& at,
                         std::string container, std::shared_ptr<credential_source> from, azure_options how)
    : in_(std::make_shared<azure_container>(shard, connect, at, std::move(container), std::move(from),
                                            std::move(how))) {
    can_.max_put = largest_put;
    can_.min_part = 1;
    can_.max_parts = azure_blocks::most_blocks;
    can_.only_if_absent = true;
    can_.list = true;
    can_.remove = true;
    can_.get = true;
}

task<result<object_info>> azure_store::put(const std::string& key, const payload& body,
                                           const put_options& how, time_source::steady deadline) {
    const auto problem = key_problem(key);
    if (!problem.empty()) co_return in_->explain("PUT", key.substr(0, 64), error(disposition::park, problem));
    if (!goes_in_parts(size_of(body), can_, in_->settings.parts)) {
        auto whole = co_await put_whole(key, body, how, deadline);
        co_return whole;
    }
    multipart_options options;
    options.parts = in_->settings.parts;
    auto in_parts = co_await upload_in_parts(*this, in_->shard, key, body, how, deadline, options);
    co_return in_parts;
}

task<result<object_info>> azure_store::put_whole(const std::string& key, const payload& body,
                                                 const put_options& how, time_source::steady deadline) {
    auto req = in_->about("PUT", key, {});
    req.body = body;
    const std::uint64_t size = http::body_size(req);
    if (size > largest_put)
        co_return in_->explain("PUT", key,
                               error(disposition::park, "larger than the 5000 MiB of one request"));
    req.headers.emplace_back("x-ms-blob-type", "BlockBlob");
    req.headers.emplace_back("Content-Type", how.content_type);
    add_checksum(req.headers, in_->settings, body);
    add_labels(req.headers, in_->settings, how);
    if (how.only_if_absent) req.headers.emplace_back("If-None-Match", "*");
    auto answer = co_await in_->retrying.send(req, deadline);
    if (answer.has_value()) co_return object_info{key, size, etag_of(*answer)};
    // The key is a function of the content's identity: what is there is what we would have written.
    const auto& why = answer.error();
    if (how.only_if_absent && says_already_there(why.status(), why.provider_code()))
        co_return object_info{key, size, {}};
    co_return in_->explain("PUT", key, why);
}

task<result<object_info>> azure_store::head(const std::string& key, time_source::steady deadline) {
    auto req = in_->about("HEAD", key, {});
    auto answer = co_await in_->retrying.send(req, deadline);
    if (!answer.has_value()) co_return in_->explain_absence("HEAD", key, answer.error());
    const auto size = whole_number(header_or_empty(*answer, "content-length"));
    if (!size)
        co_return in_->explain("HEAD", key,
                               error(disposition::retry, "the answer does not say how long it is"));
    co_return object_info{key, *size, etag_of(*answer)};
}

task<result<page>> azure_store::list(const std::string& prefix, const std::string& from,
                                     time_source::steady deadline) {
    std::string query = "restype=container&comp=list";
    if (!prefix.empty()) query.append("&prefix=").append(http::encode_query(prefix));
    if (!from.empty()) query.append("&marker=").append(http::encode_query(from));
    auto req = in_->about("GET", {}, query);
    auto answer = co_await in_->retrying.send(req, deadline);
    if (!answer.has_value()) co_return in_->explain("LIST", prefix, answer.error());
    auto listing = read_listing(answer->body);
    if (!listing)
        co_return in_->explain("LIST", prefix,
                               error(disposition::retry, "the answer is not a whole listing"));
    co_return std::move(*listing);
}

task<result<>> azure_store::remove(const std::string& key, time_source::steady deadline) {
    auto req = in_->about("DELETE", key, {});
    auto answer = co_await in_->retrying.send(req, deadline);
    if (answer.has_value() || answer.error().provider_code() == "BlobNotFound") co_return result<>();
    co_return in_->explain("DELETE", key, answer.error());
}

task<result<std::unique_ptr<multipart>>>
azure_store::start_multipart(const std::string& key, const put_options& how, time_source::steady) {
    const auto problem = key_problem(key);
    if (!problem.empty()) co_return in_->explain("PUT", key.substr(0, 64), error(disposition::park, problem));
    co_return std::unique_ptr<multipart>(std::make_unique<azure_blocks>(in_, key, how));
}

task<result<std::unique_ptr<multipart>>> azure_store::resume_multipart(const std::string& key,
                                                                       const std::string& token,
                                                                       const put_options& how,
                                                                       time_source::steady deadline) {
    auto blocks = std::make_unique<azure_blocks>(in_, key, how);
    auto resumed = co_await blocks->resume(token, deadline);
    if (!resumed.has_value()) co_return resumed.error();
    co_return std::unique_ptr<multipart>(std::move(blocks));
}

task<result<http::response>> azure_store::get_range(std::string key, std::uint64_t first, std::uint64_t last,
                                                    std::string etag, time_source::steady deadline) {
    auto req = in_->about("GET", key, {});
    ask_for_range(req, first, last, etag);
    auto answer = co_await in_->retrying.send(req, deadline);
    co_return answer;
}

task<result<object_body>> azure_store::get(const std::string& key, byte_range which,
                                           time_source::steady deadline) {
    const auto ask = [this, &key, deadline](std::uint64_t first, std::uint64_t last,
                                            const std::string& etag) {
        return get_range(key, first, last, etag, deadline);
    };
    auto read = co_await get_ranges(ask, which);
    if (!read.has_value()) co_return in_->explain_absence("GET", key, read.error());
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

task<result<>> azure_store::check(time_source::steady deadline) {
    auto req = in_->about("HEAD", {}, "restype=container");
    auto answer = co_await in_->retrying.send(req, deadline);
    if (answer.has_value()) co_return result<>();
    const auto& why = answer.error();
    const auto with = in_->access->current();
    const bool of_container = with && ("&" + with->sas.reveal()).find("&sr=") != std::string::npos;
    if (why.status() != 403 || !of_container) co_return in_->explain("HEAD", {}, why);
    // The properties are the account's; a SAS of the container alone shows itself by what it may ask.
    auto asked = co_await store::check(deadline);
    const bool good = asked.has_value() || asked.error().provider_code() == "AuthorizationPermissionMismatch";
    if (good) co_return result<>();
    co_return asked;
}

std::string container_problem(std::string_view name) {
    const auto problem = [name](std::string_view why) {
        return "container \"" + std::string(name) + "\" " + std::string(why);
    };
    const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty()) return "a container (bucket) is required";
    if (name.size() < 3 || name.size() > 63) return problem("must have 3 to 63 characters");
    if (!std::ranges::all_of(name, [alnum](char c) { return alnum(c) || c == '-'; }))
        return problem("may hold lower-case letters, digits and '-' only");
    if (!alnum(name.front()) || !alnum(name.back()))
        return problem("must begin and end with a letter or digit");
    if (name.find("--") != std::string_view::npos) return problem("must not hold two hyphens in a row");
    return {};
}

namespace {

/// Where the credential leads, by an identity that has no connection string.
result<azure_connection> way_of_identity(const credential& with) {
    auto url = http::parse_endpoint(azure_endpoint(with));
    if (!url.has_value()) return url.error();
    azure_connection out;
    out.endpoint = std::move(*url);
    out.endpoint.to.ca_file = with.ca_file;
    out.account = with.account.empty() ? std::string(account_of_host(out.endpoint.to.host)) : with.account;
    return out;
}

/// Where the credential leads; errors name the credential.
result<azure_connection> way_in(const credential& with, const std::string& name) {
    const auto wrong = [&name](const std::string& why) {
        return error(disposition::stop, name + ": " + why);
    };
    const auto faults = credential_faults(with);
    if (!faults.empty()) return wrong(faults.front().member + " " + faults.front().message);
    if (!is_static(with)) return way_of_identity(with);
    if (!with.endpoint.empty())
        return wrong("an Azure credential has its endpoint in the connection string (BlobEndpoint)");
    if (with.token.empty()) return wrong("it has no token, which is the connection string");
    auto at = parse_connection_string(with.token.reveal());
    if (!at.has_value()) return wrong(at.error().context());
    if (!at->sas.empty()) {
        const auto query = sas_query(at->sas);
        if (!query.has_value()) return wrong(query.error().context());
    } else if (at->key.empty()) {
        return wrong("the connection string has neither AccountKey nor SharedAccessSignature");
    }
    auto& to = at->endpoint.to;
    to.ca_file = with.ca_file;
    to.client_certificate = with.client_certificate;
    to.client_key = with.client_key;
    return std::move(*at);
}

void warn_about_labels(const destination_settings& given, const destination& to, const context& shard) {
    for (const auto& [name, value] : given.metadata)
        if (!keeps_metadata_name(name))
            shard.log.warning(
                "Azure cannot keep metadata of this name: letters and digits only, a letter first",
                {{"destination", describe(to)}, {"name", name}});
}

std::string azure_check(const destination& to, const credential* with) {
    auto problem = container_problem(to.bucket);
    if (!problem.empty()) return problem;
    if (has_dot_part(to.prefix)) return "prefix: Azure cannot keep a part that is '.' or '..'";
    problem = credential_problem(to, with, "token", "Azure");
    if (!problem.empty()) return problem;
    const auto in = way_in(*with, "credential " + to.credential_id);
    return in.has_value() ? std::string() : in.error().context();
}

}  // namespace

store_kind azure_kind(azure_options how) {
    store_kind kind;
    kind.needs_credential = true;
    kind.check = azure_check;
    kind.make = [how](const destination& to, const credential* with,
                      store_environment& env) -> result<std::unique_ptr<store>> {
        const auto problem = azure_check(to, with);
        if (!problem.empty()) return error(disposition::stop, problem);
        auto in = way_in(*with, "credential " + to.credential_id);
        if (!in.has_value()) return in.error();
        auto from = source_of(*with, env);
        if (!from.has_value()) return from.error();
        auto options = how;
        options.settings = env.settings_of(to);
        warn_about_labels(options.settings, to, env.shard);
        return std::unique_ptr<store>(std::make_unique<azure_store>(
            env.shard, env.transports(), *in, to.bucket, std::move(*from), std::move(options)));
    };
    return kind;
}

}  // namespace firehose::storage
