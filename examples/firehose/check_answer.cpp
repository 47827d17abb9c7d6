#include "examples/firehose/check_answer.hpp"

#include "storage/azure_errors.hpp"
#include "storage/s3_advice.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace firehose::app {
namespace {

constexpr std::string_view as_given = "(as given)";

/// A code as stores write them, "KMS.NotFoundException"; anything else is left out.
std::string shown_code(const std::string& code) {
    const bool fit =
        code.size() <= 64 && std::ranges::all_of(code, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
        });
    return fit ? code : std::string();
}

std::string advice(const error& why, const check_request& what) {
    if (what.azure()) {
        storage::azure_subject about;
        about.method = what.key.empty() ? "HEAD" : "PUT";
        about.container = as_given;
        const bool by_sas = what.with.token.reveal().find("AccountKey") == std::string::npos;
        about.by = by_sas ? storage::azure_access::sas : storage::azure_access::key;
        return storage::azure_advice(why.provider_code(), why.status(), about);
    }
    storage::s3_subject about;
    about.action = what.key.empty() ? "s3:ListBucket" : "s3:PutObject";
    about.bucket = as_given;
    about.access_key_id = as_given;
    about.endpoint = "the endpoint";
    about.region = as_given;
    return storage::s3_advice(why.provider_code(), why.status(), about);
}

http::refusal of_an_answer(const error& why, const check_request& what) {
    const std::string store = what.azure() ? "Azure" : "S3";
    const int status = why.status();
    if (status < 300)
        return {502, "not_a_store",
                "what answered at the endpoint is not " + store +
                    ", a web page or a proxy perhaps; check the endpoint"};
    auto said = store + " answered " + std::to_string(status);
    if (const auto code = shown_code(why.provider_code()); !code.empty()) said += " " + code;
    const bool passing = why.what() == disposition::retry || why.what() == disposition::slow_down;
    if (status >= 500 || (status >= 400 && passing))
        return {502, "store_unable",
                said + ": it is not able to do this just now, or does not offer it; try again later"};
    const auto more = advice(why, what);
    return {422, "refused_by_store", more.empty() ? said : said + ": " + more};
}

}  // namespace

http::response validated(const check_request& what) {
    const std::string written = what.key.empty() ? "false" : "true";
    return http::json_response(200, "{\"validated\":true,\"verification_file\":" + written + "}");
}

http::refusal refused_check(const error& why, const check_request& what) {
    if (why.status() != 0) return of_an_answer(why, what);
    if (why.code() == boost::asio::error::timed_out)
        return {504, "timeout", "the store did not answer in time; check the endpoint, or try again later"};
    if (why.code() == boost::asio::error::no_permission)
        return {
            502, "not_trusted",
            "the store showed a certificate that is not trusted, or is not for its host; check the endpoint"};
    return {
        502, "unreachable",
        "the store cannot be reached; check that the endpoint's host is spelled right, has public addresses "
        "only, and answers"};
}

}  // namespace firehose::app
