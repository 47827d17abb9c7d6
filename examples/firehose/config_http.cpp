#include "examples/firehose/config_http.hpp"

#include <boost/json/value.hpp>

namespace firehose::app {

namespace {

void read_names(const object_reader& from, std::string_view name, std::vector<std::string>& out) {
    const auto* value = from.find(name);
    if (value == nullptr) return;
    if (!value->is_array()) return from.fail(name, "must be a list of strings");
    for (const auto& entry : value->get_array()) {
        if (!entry.is_string() || entry.get_string().empty())
            return from.fail(name, "must be a list of strings, none of them empty");
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

void read_ports(const object_reader& from, std::vector<std::uint16_t>& out) {
    const auto* value = from.find("ports");
    if (value == nullptr) return;
    out.clear();
    bool good = value->is_array() && !value->get_array().empty();
    if (good)
        for (const auto& entry : value->get_array()) {
            const bool fits = entry.is_int64() && entry.get_int64() > 0 && entry.get_int64() < 65536;
            if (fits) out.push_back(static_cast<std::uint16_t>(entry.get_int64()));
            good = good && fits;
        }
    if (!good) from.fail("ports", "must be a list of ports, such as [443]");
}

void read_networks(const object_reader& from, std::vector<http::network>& out) {
    std::vector<std::string> texts;
    read_names(from, "networks", texts);
    for (const auto& text : texts) {
        const auto one = http::parse_network(text);
        if (!one)
            return from.fail("networks", "must be networks such as \"10.20.0.0/16\" or \"fd00:1::/32\"");
        out.push_back(*one);
    }
}

}  // namespace

void read_guard(const object_reader& from, http::address_guard& out) {
    from.read("development", out.development);
    read_ports(from, out.ports);
    read_networks(from, out.networks);
}

void read_http(const object_reader& from, const std::filesystem::path& base, secrets how,
               http::client_options& out, std::vector<fault>& warnings) {
    from.only({"proxy", "expect_continue_bytes", "continue_timeout_ms", "resolve_timeout_ms", "idle_ms",
               "idle_connections", "guard"});
    if (const auto proxy = from.object("proxy")) read_proxy(*proxy, base, how, out, warnings);
    if (const auto guard = from.object("guard")) {
        guard->only({"development", "ports", "networks"});
        read_guard(*guard, out.guard.emplace());
    }
    from.read("expect_continue_bytes", out.expect_continue, 1, http::never_expect);
    from.read("continue_timeout_ms", out.wait.leave);
    from.read("resolve_timeout_ms", out.wait.resolve);
    from.read("idle_ms", out.idle);
    from.read("idle_connections", out.idle_connections, 0, 4096);
}

}  // namespace firehose::app
