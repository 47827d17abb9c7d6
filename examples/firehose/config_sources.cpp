#include "examples/firehose/config_sources.hpp"

#include "storage/near_address.hpp"

#include <algorithm>
#include <string>

namespace firehose::app {
namespace json = boost::json;
namespace {

constexpr unsigned attempts_of_one_shot = 10;

bool is_name(std::string_view text) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    };
    return !text.empty() && text.size() <= 100 && text.front() != '.' && std::ranges::all_of(text, plain);
}

/// "api.getbase.com-443-leads".
std::string name_of(const http::authority& to, const std::string& resource) {
    auto out = to.host + "-" + std::to_string(to.port) + "-" + resource;
    std::ranges::replace(out, ':', '-');
    return out;
}

class pull_reader {
public:
    pull_reader(const object_reader& from, secrets how, loaded& out)
        : from_(from), secrets_(how), out_(out), base_(out.what.base_directory) {}

    void read() {
        from_.only({"type",
                    "name",
                    "url",
                    "resource",
                    "token",
                    "oauth",
                    "flow",
                    "start",
                    "expired",
                    "at_top",
                    "limit",
                    "attempts",
                    "poll_ms",
                    "requests_per_second",
                    "timeout_ms",
                    "backoff_ms",
                    "backoff_cap_ms",
                    "save_ms",
                    "page_bytes",
                    "remember",
                    "barren_pages",
                    "user_agent",
                    "ca_file"});
        auto& how = stream_.common;
        const bool placed = read_place();
        read_credential(placed);
        from_.read("flow", how.flow);
        if (!how.flow.empty() && !out_.what.routing.flows.contains(how.flow))
            from_.fail("flow", "names none of \"flows\"");
        how.start = stages::tail_position;
        from_.read("start", how.start);
        if (how.start.empty() || how.start.size() > 4096)
            from_.fail("start", "must be \"tail\", \"top\" or a position");
        read_choices();
        read_numbers();
        how.http.user_agent = "firehose";
        from_.read("user_agent", how.http.user_agent);
        if (how.http.user_agent.empty() || !plain_text(how.http.user_agent))
            from_.fail("user_agent", "must be visible ASCII and blanks: servers refuse requests without one");
        if (placed) out_.what.streams.push_back(std::move(stream_));
    }

private:
    static bool plain_text(std::string_view text) {
        return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
    }

    http::authority with_roots(http::authority to) const {
        if (!ca_file_.empty()) to.ca_file = (base_ / ca_file_).string();
        return to;
    }

    /// A token that travels without TLS can be read on the way.
    void warn_of_plain(const object_reader& of, std::string_view member, const http::authority& to) {
        if (!to.tls && !storage::is_loopback(to.host))
            out_.warnings.push_back({of.at(member), "tokens are sent without TLS: use https"});
    }

    bool read_place() {
        auto& how = stream_.common;
        std::string url;
        std::string resource;
        from_.read("url", url);
        from_.read("resource", resource);
        from_.read("ca_file", ca_file_);
        if (url.empty()) from_.fail("url", "is required: \"https://api.getbase.com\"");
        const bool named = is_name(resource);
        if (!named) from_.fail("resource", "is required: the part of the URL between /v3/ and /stream");
        if (url.empty()) return false;
        auto at = http::parse_endpoint(url);
        if (at.has_error()) {
            from_.fail("url", at.error().context());
            return false;
        }
        if (!named) return false;
        how.at.to = with_roots(std::move(at->to));
        how.at.path = at->path + "/v3/" + resource + "/stream";
        warn_of_plain(from_, "url", how.at.to);
        how.name = name_of(how.at.to, resource);
        from_.read("name", how.name);
        if (!is_name(how.name))
            from_.fail("name", "must be 1 to 100 letters, digits and \"-_.\", and not begin with a dot");
        const auto same = [&](const pull_settings& s) { return s.common.name == how.name; };
        if (std::ranges::any_of(out_.what.streams, same))
            from_.fail("name", "two sources have the name \"" + how.name +
                                   "\", by which their positions are kept: give each its own");
        how.directory = out_.what.data_dir / "sources" / how.name;
        base_path_ = std::move(at->path);
        return true;
    }

    void read_credential(bool placed) {
        auto& with = stream_.common.with;
        const auto* token = from_.find("token");
        const auto oauth = from_.object("oauth");
        const bool one = (token != nullptr) != oauth.has_value();
        if (!one && (token != nullptr || !from_.find("oauth")))
            return from_.fail("token",
                              "is required, or \"oauth\" in its place: {\"env\": …} or {\"file\": …}");
        if (token != nullptr) {
            from_.read_secret("token", base_, secrets_, with.token, out_.warnings);
            const bool looked_up = !with.token.empty() && secrets_ == secrets::read;
            if (looked_up && !stages::is_bearer_token(with.token.reveal()))
                from_.fail("token", "must be one line of visible ASCII without blanks");
            const auto* file = token->is_object() ? token->get_object().if_contains("file") : nullptr;
            if (file != nullptr && file->is_string())
                with.token_file = (base_ / std::string(file->get_string())).string();
        }
        if (oauth && placed) read_oauth(*oauth);
    }

    void read_oauth(const object_reader& from) {
        from.only({"token_url", "client_id", "client_secret", "refresh_token"});
        stages::oauth_client who;
        who.to = stream_.common.at.to;
        who.target = base_path_ + "/oauth2/token";
        std::string url;
        from.read("token_url", url);
        if (!url.empty()) {
            auto at = http::parse_endpoint(url);
            if (at.has_error()) return from.fail("token_url", at.error().context());
            who.to = with_roots(std::move(at->to));
            who.target = at->path.empty() ? "/" : at->path;
            warn_of_plain(from, "token_url", who.to);
        }
        from.read("client_id", who.client_id);
        from.read_secret("client_secret", base_, secrets_, who.client_secret, out_.warnings);
        from.read_secret("refresh_token", base_, secrets_, who.refresh_token, out_.warnings);
        if (who.client_id.empty()) from.fail("client_id", "is required");
        if (!from.find("refresh_token"))
            from.fail("refresh_token", "is required: {\"env\": …} or {\"file\": …}");
        stream_.common.with.oauth = std::move(who);
    }

    void read_choices() {
        std::string expired = "tail";
        from_.read("expired", expired);
        auto& how = stream_.common;
        if (expired == "top")
            how.expired = stages::on_expired::top;
        else if (expired == "stop")
            how.expired = stages::on_expired::stop;
        else if (expired != "tail")
            from_.fail("expired", "must be \"tail\", \"top\" or \"stop\": what follows a position that the "
                                  "server no longer has");
        std::string then;
        from_.read("at_top", then);
        if (then == "end")
            stream_.then = stages::at_top::end;
        else if (then == "poll")
            stream_.then = stages::at_top::poll;
        else if (from_.find("at_top"))
            from_.fail("at_top", "must be \"end\" or \"poll\"; left out, run ends there and serve polls");
    }

    void read_numbers() {
        auto& how = stream_.common;
        from_.read("limit", how.limit, 1, 100);
        unsigned attempts = 0;
        from_.read("attempts", attempts, 0, 1'000'000);
        if (from_.find("attempts")) stream_.attempts = attempts;
        from_.read("poll_ms", how.poll);
        from_.read("save_ms", how.save_every);
        unsigned rate = 10;
        from_.read("requests_per_second", rate, 1, 1000);
        how.apart = std::chrono::milliseconds(1000 / rate);
        from_.read("timeout_ms", how.timeout);
        from_.read("backoff_ms", how.backoff);
        from_.read("backoff_cap_ms", how.backoff_cap);
        from_.read("remember", how.remember, 0, 100'000'000);
        from_.read("barren_pages", how.barren_pages, 1, 1'000'000'000);
        how.http = out_.what.http;
        how.http.accept.body = 32u << 20;
        from_.read("page_bytes", how.http.accept.body, 1 << 10, 1u << 30);
        how.http.wait.whole = how.timeout;
        // The connection outlives the pause at the top where the server lets it.
        how.http.idle = std::max(how.http.idle, how.poll + std::chrono::milliseconds(5'000));
    }

    const object_reader& from_;
    secrets secrets_;
    loaded& out_;
    const std::filesystem::path& base_;
    std::string base_path_{}, ca_file_{};
    pull_settings stream_{};
};

void read_file_source(const object_reader& from, loaded& out) {
    from.only({"type", "path"});
    std::string path;
    from.read("path", path);
    if (path.empty()) return from.fail("path", "is required; \"-\" is standard input");
    out.what.inputs.push_back(path == "-" ? path : (out.what.base_directory / path).string());
}

}  // namespace

stages::ingest_stream::options pull_settings::of_run() const {
    auto out = common;
    out.then = then.value_or(stages::at_top::end);
    out.attempts = attempts.value_or(out.then == stages::at_top::end ? attempts_of_one_shot : 0);
    out.ends_on_loss = true;
    return out;
}

stages::ingest_stream::options pull_settings::of_serve() const {
    auto out = common;
    out.then = then.value_or(stages::at_top::poll);
    out.attempts = attempts.value_or(out.then == stages::at_top::end ? attempts_of_one_shot : 0);
    return out;
}

void read_sources(const json::value& value, secrets how, loaded& out) {
    if (!value.is_array()) {
        out.faults.push_back({"/sources", "must be an array"});
        return;
    }
    std::size_t index = 0;
    for (const auto& entry : value.get_array()) {
        const auto pointer = "/sources/" + std::to_string(index++);
        if (!entry.is_object()) {
            out.faults.push_back({pointer, "must be an object"});
            continue;
        }
        const object_reader from(entry.get_object(), pointer, out.faults);
        std::string type;
        from.read("type", type);
        if (type == "file")
            read_file_source(from, out);
        else if (type == "stream")
            pull_reader(from, how, out).read();
        else
            from.fail("type", "must be \"file\" or \"stream\"");
    }
}

}  // namespace firehose::app
