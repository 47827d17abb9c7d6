#include "examples/firehose/check_settings.hpp"

#include "examples/firehose/config_http.hpp"
#include "storage/s3_location.hpp"

namespace firehose::app {

check_settings read_check(const object_reader& from, const std::filesystem::path& base) {
    from.only({"development", "ports", "networks", "s3_endpoint", "s3_region", "ca_file", "azure_prefix",
               "at_once", "requests_per_second", "burst", "deadline_ms"});
    check_settings out;
    read_guard(from, out.guard);
    from.read("s3_endpoint", out.s3_endpoint);
    if (!out.s3_endpoint.empty()) {
        const auto at = http::parse_endpoint(out.s3_endpoint);
        const auto fit = at.has_value() ? out.guard.check(at->to) : result<>(at.error());
        if (!fit.has_value()) from.fail("s3_endpoint", fit.error().context());
    }
    from.read("s3_region", out.s3_region);
    if (!storage::is_region(out.s3_region))
        from.fail("s3_region", "may hold lower-case letters, digits and '-' only");
    from.read("ca_file", out.ca_file);
    if (!out.ca_file.empty()) out.ca_file = (base / out.ca_file).string();
    from.read("azure_prefix", out.azure_prefix);
    from.read("at_once", out.at_once, 1, 1000);
    from.read("requests_per_second", out.requests_per_second, 0, 1'000'000);
    from.read("burst", out.burst, 1, 1'000'000);
    from.read("deadline_ms", out.deadline);
    return out;
}

}  // namespace firehose::app
