#include "storage/sqs_location.hpp"

#include "storage/credential_rules.hpp"
#include "storage/s3_location.hpp"

#include <algorithm>
#include <vector>

namespace firehose::storage {

namespace {

/// "sqs.REGION.amazonaws.com", "sqs-fips.REGION…", "REGION.queue.amazonaws.com" and
/// "vpce-….sqs.REGION.vpce.amazonaws.com"; empty for hosts of any other kind.
std::string_view region_of(std::string_view host) {
    if (host.find(".amazonaws.") == std::string_view::npos) return {};
    std::vector<std::string_view> labels;
    while (!host.empty()) {
        const auto end = std::min(host.find('.'), host.size());
        labels.push_back(host.substr(0, end));
        host.remove_prefix(std::min(end + 1, host.size()));
    }
    const auto service = std::ranges::find_if(
        labels, [](std::string_view l) { return l == "sqs" || l == "sqs-fips" || l == "queue"; });
    if (service == labels.end()) return {};
    const bool behind = *service != "queue";
    if (behind) return service + 1 == labels.end() ? std::string_view() : *(service + 1);
    return service == labels.begin() ? std::string_view() : *(service - 1);
}

}  // namespace

result<sqs_location> locate_sqs(const credential& with, std::string_view queue_url) {
    auto parsed = http::parse_endpoint(queue_url);
    if (!parsed.has_value()) return error(disposition::stop, "queue_url: " + parsed.error().context());
    sqs_location out;
    out.url = queue_url;
    out.name = parsed->path.substr(parsed->path.rfind('/') + 1);
    if (out.name.empty())
        return error(disposition::stop,
                     "queue_url must name a queue: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME");
    out.fifo = out.name.ends_with(".fifo");
    out.to = std::move(parsed->to);
    out.to.ca_file = with.ca_file;
    out.region = region_of(out.to.host);
    if (out.region.empty()) out.region = s3_region(with);
    if (!is_region(out.region))
        return error(disposition::stop, "the region of credential " + with.id +
                                            " may hold lower-case letters, digits and '-' only");
    return out;
}

std::string sqs_problem(std::string_view queue_url, const std::string& credential_id,
                        const credential* with) {
    if (with == nullptr) return "credential " + credential_id + " does not exist";
    const auto at = locate_sqs(*with, queue_url);
    if (!at.has_value()) return at.error().context();
    const std::string name = "credential " + credential_id;
    if (with->type != "user") return name + " must be of type \"user\" to be used for SQS";
    return aws_credential_problem(*with, name);
}

}  // namespace firehose::storage
