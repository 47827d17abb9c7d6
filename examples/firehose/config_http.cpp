#include "examples/firehose/config_http.hpp"

#include <boost/json/value.hpp>

namespace firehose::app {

namespace {

void read_names(const object_reader& from, std::string_view name, std::vector<std::string>& out) {
    const auto* value = from.find(name);
    if (value == nullptr) return;
    if (!value->is_array()) return from.fail(name, "must be a list of host names");
    for (const auto& entry : value->get_array()) {
        if (!entry.is_string() || entry.get_string().empty())
            return from.fail(name, "must be a list of host names; \".example.com\" is all names below it");
        out.emplace_back(entry.get_string());
    }
}

void read_proxy(const object_reader& from, const std::filesystem::path& base, secrets how,
                http::client_options& out, std::vector<fault>& warnings) {
    from.only({"url", "username", "password", "except"});
    std::string url;
    from.read("url", url);
    auto proxy = http::parse_proxy(url);
    if (!proxy.has_value()) return from.fail("url", proxy.error().context());
    from.read("username", proxy->username);
    from.read_secret("password", base, how, proxy->password, warnings);
    if (proxy->username.find(':') != std::string::npos)
        from.fail("username", "must not hold ':', which ends the name in what the proxy is sent");
    if (proxy->username.empty() && !proxy->password.empty())
        from.fail("username", "is required beside a password");
    read_names(from, "except", proxy->except);
    out.proxy = std::move(*proxy);
}

}  // namespace

void read_http(const object_reader& from, const std::filesystem::path& base, secrets how,
               http::client_options& out, std::vector<fault>& warnings) {
    from.only({"proxy", "expect_continue_bytes", "continue_timeout_ms", "resolve_timeout_ms", "idle_ms",
               "idle_connections"});
    if (const auto proxy = from.object("proxy")) read_proxy(*proxy, base, how, out, warnings);
    from.read("expect_continue_bytes", out.expect_continue, 1, http::never_expect);
    from.read("continue_timeout_ms", out.wait.leave);
    from.read("resolve_timeout_ms", out.wait.resolve);
    from.read("idle_ms", out.idle);
    from.read("idle_connections", out.idle_connections, 0, 4096);
}

}  // namespace firehose::app
