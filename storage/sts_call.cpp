#include "storage/sts_call.hpp"

#include "storage/aws_keys.hpp"
#include "storage/iso_time.hpp"
#include "storage/near_address.hpp"
#include "storage/provider_answer.hpp"
#include "storage/s3_location.hpp"

#include <pugixml.hpp>

namespace firehose::storage {

result<credential_value> parse_sts_answer(std::string_view body) {
    const auto wrong = [](const std::string& why) {
        return error(disposition::retry, "the answer of STS holds no keys: " + why);
    };
    pugi::xml_document document;
    const auto parsed =
        document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
    if (!parsed) return wrong("it is not XML");
    // <ActionResponse><ActionResult><Credentials>
    const auto keys = document.document_element().first_child().child("Credentials");
    if (!keys) return wrong("there are no Credentials in it");
    credential_value out;
    out.access_key_id = keys.child_value("AccessKeyId");
    out.secret_access_key = secret(keys.child_value("SecretAccessKey"));
    out.session_token = secret(keys.child_value("SessionToken"));
    const auto problem = aws_keys_problem(out);
    if (!problem.empty()) return wrong(problem);
    if (out.session_token.empty()) return wrong("there is no session token");
    out.expires = parse_iso_time(keys.child_value("Expiration"));
    if (!out.expires) return wrong("its Expiration is no time");
    return out;
}

error sts_refusal(const http::response& r) {
    pugi::xml_document document;
    document.load_buffer(r.body.data(), r.body.size(), pugi::parse_default, pugi::encoding_utf8);
    const auto said = document.child("ErrorResponse").child("Error");
    const std::string_view code = said.child_value("Code");
    const bool passing = code == "ExpiredTokenException" || code == "IDPCommunicationError" ||
                         code == "Throttling" || code == "ThrottlingException";
    const bool hopeless = r.status >= 400 && r.status < 500 && r.status != 429;
    const auto what = passing ? disposition::retry : hopeless ? disposition::stop : judge_status(r.status);
    return call_refused(r, what, code, said.child_value("Message"));
}

std::string sts_endpoint(std::string_view region) {
    return "https://sts." + std::string(region) + "." + std::string(aws_domain(region));
}

result<http::endpoint_url> find_sts(const provider_parts& parts, const std::string& configured,
                                    const std::string& region) {
    const auto wrong = [](const std::string& why) { return error(disposition::stop, why); };
    const auto given = configured.empty() ? parts.variable("AWS_ENDPOINT_URL_STS") : configured;
    if (given.empty() && !is_region(region)) return wrong("the region is none: " + region.substr(0, 40));
    auto url = http::parse_endpoint(given.empty() ? sts_endpoint(region) : given);
    if (!url.has_value()) return wrong("the endpoint of STS is wrong: " + url.error().context());
    const auto problem = metadata_problem(url->to);
    if (!problem.empty()) return wrong(problem);
    return std::move(*url);
}

unsigned_call sts_call(const http::endpoint_url& at) {
    unsigned_call call;
    call.to = at.to;
    call.method = "POST";
    call.target = at.path + "/";
    call.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    call.headers.emplace_back("Accept", "text/xml");
    call.each = std::chrono::milliseconds(5'000);
    call.refusal = sts_refusal;
    return call;
}

}  // namespace firehose::storage
