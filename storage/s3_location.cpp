#include "storage/s3_location.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firehose::storage {

namespace {
bool digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool alnum(char c) noexcept { return (c >= 'a' && c <= 'z') || digit(c); }

constexpr std::array<aws_partition, 8> partitions = {{
    {"aws-cn", "cn-", "amazonaws.com.cn"},
    {"aws-us-gov", "us-gov-", "amazonaws.com"},
    {"aws-iso", "us-iso-", "c2s.ic.gov"},
    {"aws-iso-b", "us-isob-", "sc2s.sgov.gov"},
    {"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk"},
    {"aws-iso-f", "us-isof-", "csp.hci.ic.gov"},
    {"aws-eusc", "eusc-", "amazonaws.eu"},
    {"aws", "", "amazonaws.com"},
}};

bool is_number(std::string_view host) noexcept {
    const bool v4 = std::ranges::all_of(host, [](char c) { return digit(c) || c == '.'; });
    return v4 || host.find(':') != std::string_view::npos;
}

void address(s3_location& out, std::string_view bucket, bool virtual_host) {
    if (virtual_host)
        out.to.host = std::string(bucket) + "." + out.to.host;
    else
        out.base.append("/").append(http::encode_path(bucket));
}
}  // namespace

const aws_partition& aws_partition_of(std::string_view region) noexcept {
    return *std::ranges::find_if(
        partitions, [region](const aws_partition& each) { return region.starts_with(each.prefix); });
}

std::string s3_region(const credential& with) { return with.region.empty() ? "us-east-1" : with.region; }

bool is_region(std::string_view text) noexcept {
    return !text.empty() && text.size() <= 32 &&
           std::ranges::all_of(text, [](char c) { return alnum(c) || c == '-'; });
}

std::string_view aws_domain(std::string_view region) noexcept { return aws_partition_of(region).domain; }

result<s3_location> locate_s3(const credential& with, std::string_view bucket, std::string_view region,
                              addressing style) {
    s3_location out;
    out.region = region;
    if (!is_region(region))
        return error(disposition::stop, "the region of credential " + with.id +
                                            " may hold lower-case letters, digits and '-' only");
    if (!with.endpoint.empty()) {
        auto parsed = http::parse_endpoint(with.endpoint);
        if (!parsed.has_value())
            return error(disposition::stop, "credential " + with.id + ": " + parsed.error().context());
        out.own_endpoint = true;
        out.to = std::move(parsed->to);
        out.base = std::move(parsed->path);
        const bool virtual_host = style == addressing::virtual_host;
        if (virtual_host && is_number(out.to.host))
            return error(disposition::stop, "credential " + with.id +
                                                ": an endpoint that is a number has no virtual hosts; name "
                                                "the host, or set addressing to \"path\"");
        address(out, bucket, virtual_host);
    } else {
        out.to.host = "s3." + out.region + "." + std::string(aws_domain(region));
        const bool dotted = bucket.find('.') != std::string_view::npos;
        address(out, bucket,
                style == addressing::virtual_host || (style == addressing::automatic && !dotted));
    }
    out.to.ca_file = with.ca_file;
    return out;
}

std::string s3_bucket_problem(std::string_view bucket) {
    const auto problem = [bucket](std::string_view why) {
        return "bucket \"" + std::string(bucket) + "\" " + std::string(why);
    };
    if (bucket.empty()) return "a bucket is required";
    if (bucket.size() < 3 || bucket.size() > 63) return problem("must have 3 to 63 characters");
    if (std::ranges::all_of(bucket, [](char c) { return digit(c) || c == '.'; }))
        return problem("must not consist of digits and dots alone");
    for (std::size_t at = 0; at <= bucket.size();) {
        const std::size_t end = std::min(bucket.find('.', at), bucket.size());
        const auto label = bucket.substr(at, end - at);
        const bool clean = std::ranges::all_of(label, [](char c) { return alnum(c) || c == '-'; });
        if (!clean) return problem("may hold lower-case letters, digits, '-' and '.' only");
        if (label.empty() || !alnum(label.front()) || !alnum(label.back()))
            return problem("must begin and end, and each part between dots too, with a letter or digit");
        at = end + 1;
    }
    return {};
}

}  // namespace firehose::storage
