#include "storage/s3_remote.hpp"

#include <utility>

namespace firehose::storage {

s3_remote::s3_remote(context& of, http::transport_factory connect, credential with, std::string called,
                     s3_location at, s3_options options)
    : shard(of),
      bucket(std::move(called)),
      how(std::move(options)),
      exchange(of, std::move(connect), std::move(with), bucket, std::move(at), how.given, how.keys),
      retrying(exchange, of.time, of.random, how.retries) {}

http::request s3_remote::about(std::string_view method, std::string_view key, std::string_view query) const {
    http::request req;
    req.method = method;
    req.target.append(exchange.at().base).append("/").append(http::encode_path(key));
    if (!query.empty()) req.target.append("?").append(query);
    req.headers.reserve(12);
    req.headers.emplace_back("x-amz-content-sha256", sigv4::empty_payload_hash);
    return req;
}

http::request s3_remote::about_bucket(std::string_view method, std::string_view query) const {
    auto req = about(method, {});
    if (req.target.size() > 1) req.target.pop_back();  // "/bucket?…": some servers take "/bucket/" for a key
    if (!query.empty()) req.target.append("?").append(query);
    return req;
}

s3_body_guard s3_remote::guard() const noexcept {
    return choose_guard(how.given, exchange.at().own_endpoint, exchange.at().to.tls);
}

error s3_remote::explain(std::string_view method, std::string_view key, const error& why) const {
    error_details d = why.details();
    std::string text(method);
    text.append(" ").append(bucket);
    if (!key.empty()) text.append("/").append(key);
    d.context = text.append(": ").append(why.context());
    return {why.what(), std::move(d)};
}

error s3_remote::absent(std::string_view method, std::string_view key) const {
    error_details d;
    d.status = 404;
    d.provider_code = not_found;
    d.context.append(method).append(" ").append(bucket).append("/").append(key);
    d.context.append(": 404, there is no such object");
    return {disposition::park, std::move(d)};
}

bool says_absent(const error& why) noexcept {
    return why.status() == 404 && (why.provider_code().empty() || why.provider_code() == "NoSuchKey");
}

}  // namespace firehose::storage
