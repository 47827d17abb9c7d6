#include "examples/firehose/server_settings.hpp"

#include "examples/firehose/config_reader.hpp"
#include "http/url.hpp"

#include <algorithm>

namespace firehose::app {
namespace json = boost::json;
namespace {

int digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<http::sha256_value> parse_hash(std::string_view hex) {
    http::sha256_value out{};
    if (hex.size() != 2 * out.size()) return std::nullopt;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = digit_of(hex[2 * i]);
        const int low = digit_of(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out[i] = static_cast<std::byte>(high * 16 + low);
    }
    return out;
}

std::vector<std::string> read_listen(const object_reader& from, std::vector<std::string> otherwise) {
    const auto* value = from.find("listen");
    if (!value) return otherwise;
    std::vector<std::string> out;
    if (value->is_string()) out.emplace_back(std::string_view(value->get_string()));
    if (value->is_array())
        for (const auto& one : value->get_array())
            if (one.is_string()) out.emplace_back(std::string_view(one.get_string()));
    const bool wrong = value->is_array() ? out.size() != value->get_array().size() : !value->is_string();
    if (wrong || out.empty())
        from.fail("listen", "must be an address such as \"127.0.0.1:8080\", or a list of them");
    return out;
}

role_set read_roles(const object_reader& token) {
    role_set out;
    const auto* value = token.find("roles");
    bool good = value && value->is_array() && !value->get_array().empty();
    if (good)
        for (const auto& one : value->get_array()) {
            const auto name = one.is_string() ? std::string_view(one.get_string()) : std::string_view();
            out.ingest = out.ingest || name == "ingest";
            out.read = out.read || name == "read";
            out.admin = out.admin || name == "admin";
            good = good && (name == "ingest" || name == "read" || name == "admin");
        }
    if (!good) token.fail("roles", "must be a list of \"ingest\", \"read\" and \"admin\"");
    return out;
}

std::vector<token_entry> read_tokens(const object_reader& all) {
    std::vector<token_entry> out;
    for (const auto& [key, value] : all.value()) {
        token_entry entry;
        entry.name = std::string(key);
        const auto token = all.object(entry.name);
        if (!token) continue;
        token->only({"sha256", "roles", "root"});
        std::string hex;
        token->read("sha256", hex);
        const auto hash = parse_hash(hex);
        if (!hash) token->fail("sha256", "must be the SHA-256 of the token, in 64 hexadecimal digits");
        entry.hash = hash.value_or(http::sha256_value{});
        entry.roles = read_roles(*token);
        token->read("root", entry.roles.root);
        out.push_back(std::move(entry));
    }
    return out;
}

void read_limits(const object_reader& from, server_settings& out) {
    from.only({"connections", "connections_per_address", "body_bytes", "bodies_in_memory_bytes",
               "request_line_bytes", "head_bytes", "headers", "pipelined", "idle_ms", "head_ms", "body_ms",
               "answer_ms", "tls_ms", "drain_ms", "least_bytes_per_second"});
    auto& most = out.limits;
    from.read("connections", most.connections, 1, 1'000'000);
    from.read("connections_per_address", most.connections_per_address, 1, 1'000'000);
    from.read("body_bytes", most.body, 1, 512u << 20);
    from.read("request_line_bytes", most.head.line, 64, 1 << 20);
    from.read("head_bytes", most.head.head, 256, 1 << 20);
    from.read("headers", most.head.headers, 4, 10'000);
    from.read("pipelined", most.pipelined, 1, 100'000);
    from.read("bodies_in_memory_bytes", out.ingest.max_bodies_in_memory, 1, 1ULL << 40);
    auto& wait = out.wait;
    from.read("idle_ms", wait.idle);
    from.read("head_ms", wait.head);
    from.read("body_ms", wait.body);
    from.read("answer_ms", wait.answer);
    from.read("tls_ms", wait.tls);
    from.read("drain_ms", wait.drain);
    from.read("least_bytes_per_second", wait.least_rate, 1, 1u << 30);
}

void read_log(const object_reader& from, stages::event_log_options& out) {
    from.only({"retention_hours", "max_bytes", "segment_bytes", "idempotency_hours"});
    unsigned hours = static_cast<unsigned>(out.retention.count());
    from.read("retention_hours", hours, 1, 24 * 365 * 10);
    out.retention = std::chrono::hours(hours);
    std::size_t most = out.max_bytes;
    from.read("max_bytes", most, 0, 1ULL << 60);
    out.max_bytes = most;
    std::size_t segment = out.segment_bytes;
    from.read("segment_bytes", segment, 1 << 16, 1ULL << 31);
    out.segment_bytes = segment;
    unsigned window = 24;
    from.read("idempotency_hours", window, 0, 24 * 365);
    out.key_window = std::chrono::hours(window);
}

void read_public_url(const object_reader& from, std::string& out) {
    from.read("public_url", out);
    if (out.empty()) return;
    const auto parsed = http::parse_endpoint(out);
    if (parsed.has_error())
        from.fail("public_url", "must be a URL such as \"https://events.example.com\"");
    else if (out.ends_with('/'))
        out.pop_back();
}

}  // namespace

server_settings read_server(const object_reader& from, const std::filesystem::path& base) {
    server_settings out;
    from.only({"listen", "tls", "tokens", "development", "access_log", "shards", "limits", "log", "check",
               "stream", "public_url", "credentials_key", "previous_credentials_keys"});
    out.listen = read_listen(from, out.listen);
    from.read("development", out.development);
    from.read("access_log", out.access_log);
    from.read("shards", out.shards, 1, 256);
    if (const auto tls = from.object("tls")) {
        tls->only({"certificate", "key"});
        http::server_tls_files files;
        tls->read("certificate", files.certificate);
        tls->read("key", files.key);
        if (files.certificate.empty()) tls->fail("certificate", "is required: a PEM file");
        if (files.key.empty()) tls->fail("key", "is required: a PEM file");
        files.certificate = (base / files.certificate).string();
        files.key = (base / files.key).string();
        out.tls = std::move(files);
    }
    if (const auto tokens = from.object("tokens")) out.tokens = read_tokens(*tokens);
    if (const auto limits = from.object("limits")) read_limits(*limits, out);
    if (const auto log = from.object("log")) read_log(*log, out.log);
    if (const auto check = from.object("check")) out.check = read_check(*check, base);
    if (const auto stream = from.object("stream")) read_stream(*stream, out.stream);
    read_public_url(from, out.public_url);
    out.ingest.max_body = out.limits.body;
    if (out.tokens.empty() && !out.development)
        from.fail("tokens", "are required: without any nobody gets in. For a try on this machine, set "
                            "\"development\": true and listen on a loopback address");
    return out;
}

}  // namespace firehose::app
