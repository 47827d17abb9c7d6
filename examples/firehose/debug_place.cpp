/// firehose debug connection-string and endpoint: where requests would go, and what would sign them.
#include "examples/firehose/debug.hpp"
#include "examples/firehose/debug_lines.hpp"
#include "storage/azure_store.hpp"
#include "storage/connection_string.hpp"
#include "storage/s3_location.hpp"
#include "storage/sigv4.hpp"

namespace firehose::app {
namespace json = boost::json;
namespace {

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
}

/// Never the secret itself: whether there is one.
json::object about(const storage::azure_connection& at) {
    return {{"account", text_or_null(at.account)},
            {"key", !at.key.empty()},
            {"sas", !at.sas.empty()},
            {"path_style", at.path_style}};
}

result<json::object> answer_connection_string(const json::object& line) {
    members all(line);
    const auto text = all.text("connection_string");
    if (!all.problem().empty()) return bad_line(all.problem());
    const auto parsed = storage::parse_connection_string(text);
    if (!parsed.has_value()) return parsed.error();
    json::object out{{"endpoint", http::describe(parsed->endpoint.to) + parsed->endpoint.path + "/"}};
    for (const auto& member : about(*parsed)) out.insert(member);
    return out;
}

result<json::object> azure_endpoint(members& all) {
    const auto parsed = storage::parse_connection_string(all.text("connection_string"));
    const auto container = all.has("container") ? all.text("container") : all.text("bucket");
    const auto key = all.text_or("key", {});
    if (!all.problem().empty()) return bad_line(all.problem());
    if (!parsed.has_value()) return parsed.error();
    const auto problem = storage::container_problem(container);
    if (!problem.empty()) return bad_line(problem);
    auto url = http::describe(parsed->endpoint.to) + parsed->endpoint.path + "/" + container;
    if (!key.empty()) url += "/" + http::encode_path(key);
    json::object out{{"url", url}, {"host", http::host_header(parsed->endpoint.to)}};
    for (const auto& member : about(*parsed)) out.insert(member);
    return out;
}

storage::addressing addressing_of(members& all) {
    const auto style = all.text_or("style", "automatic");
    if (style == "path") return storage::addressing::path;
    if (style == "virtual_host") return storage::addressing::virtual_host;
    if (style != "automatic") all.refuse("style", "must be automatic, path or virtual_host");
    return storage::addressing::automatic;
}

result<json::object> s3_endpoint(members& all) {
    storage::credential with;
    with.endpoint = all.text_or("endpoint", {});
    with.region = all.text_or("region", {});
    const auto bucket = all.text("bucket");
    const auto key = all.text_or("key", {});
    const auto date = all.text_or("date", {});
    const auto style = addressing_of(all);
    if (!all.problem().empty()) return bad_line(all.problem());
    const auto problem = storage::s3_bucket_problem(bucket);
    if (!problem.empty()) return bad_line(problem);
    const auto at = storage::locate_s3(with, bucket, storage::s3_region(with), style);
    if (!at.has_value()) return at.error();
    const storage::sigv4::scope of{date.substr(0, 8), at->region, "s3"};
    const auto scope = of.text();
    return json::object{{"url", http::describe(at->to) + at->base + "/" + http::encode_path(key)},
                        {"host", http::host_header(at->to)},
                        {"style", at->base.empty() ? "virtual_host" : "path"},
                        {"region", at->region},
                        {"service", "s3"},
                        {"scope", date.empty() ? scope.substr(1) : scope}};
}

result<json::object> answer_endpoint(const json::object& line) {
    members all(line);
    return all.has("connection_string") ? azure_endpoint(all) : s3_endpoint(all);
}

}  // namespace

int debug_connection_string() { return answer_lines(answer_connection_string); }
int debug_endpoint() { return answer_lines(answer_endpoint); }

}  // namespace firehose::app
