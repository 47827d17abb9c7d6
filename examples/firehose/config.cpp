#include "examples/firehose/config.hpp"

#include "examples/firehose/batch_config.hpp"
#include "examples/firehose/config_credentials.hpp"
#include "examples/firehose/config_destinations.hpp"
#include "examples/firehose/config_http.hpp"
#include "examples/firehose/config_reader.hpp"
#include "examples/firehose/config_sources.hpp"
#include "examples/firehose/sealing_config.hpp"
#include "examples/firehose/secret_names.hpp"
#include "stages/workbench.hpp"

#include <boost/json/parser.hpp>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace firehose::app {
namespace json = boost::json;
namespace {

/// "line 3, column 14" of an offset, for a person with an editor.
std::string place_of(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, offset);
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto start = before.rfind('\n');
    const auto column = start == std::string_view::npos ? offset + 1 : offset - start;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

std::string unescape_pointer(std::string_view token) {
    std::string out;
    for (std::size_t i = 0; i < token.size(); ++i) {
        const bool escape = token[i] == '~' && i + 1 < token.size();
        if (escape)
            out += token[++i] == '0' ? '~' : '/';
        else
            out += token[i];
    }
    return out;
}

json::parse_options with_comments() {
    json::parse_options how;
    how.allow_comments = true;
    how.allow_trailing_commas = true;
    return how;
}

std::optional<json::value> parse_document(std::string_view text, std::vector<fault>& faults) {
    json::parser parser({}, with_comments());
    boost::system::error_code ec;
    const auto consumed = parser.write(text.data(), text.size(), ec);
    if (!ec) return parser.release();
    faults.push_back({"", "not JSON at " + place_of(text, consumed) + ": " + ec.message()});
    return std::nullopt;
}

/// The value a JSON Pointer names, made on the way where objects lack it; null when that is impossible.
json::value* make_place(json::value& document, std::string_view pointer) {
    auto* here = &document;
    while (!pointer.empty()) {
        pointer.remove_prefix(1);
        const auto end = std::min(pointer.find('/'), pointer.size());
        const auto token = unescape_pointer(pointer.substr(0, end));
        pointer.remove_prefix(end);
        if (here->is_null()) here->emplace_object();
        if (here->is_object()) {
            here = &here->get_object()[token];
        } else if (here->is_array()) {
            const auto index = std::strtoull(token.c_str(), nullptr, 10);
            const bool digits =
                !token.empty() && std::ranges::all_of(token, [](char c) { return c >= '0' && c <= '9'; });
            if (!digits || index >= here->get_array().size()) return nullptr;
            here = &here->get_array()[index];
        } else {
            return nullptr;
        }
    }
    return here;
}

/// Whether a secret is set by the pointer, or anywhere inside the value.
bool leads_to_a_secret(std::string_view pointer) {
    while (!pointer.empty()) {
        const auto end = std::min(pointer.find('/', 1), pointer.size());
        if (names_a_secret(unescape_pointer(pointer.substr(1, end - 1)))) return true;
        pointer.remove_prefix(end);
    }
    return false;
}

bool holds_a_secret(const json::value& value) {
    if (value.is_array()) return std::ranges::any_of(value.get_array(), holds_a_secret);
    if (!value.is_object()) return false;
    return std::ranges::any_of(value.get_object(), [](const auto& member) {
        const bool plain = names_a_secret(std::string_view(member.key())) && !member.value().is_object();
        return plain || holds_a_secret(member.value());
    });
}

void apply_override(json::value& document, const std::string& pointer, const std::string& text,
                    std::vector<fault>& faults) {
    boost::system::error_code ec;
    json::parser parser;
    parser.write(text.data(), text.size(), ec);
    json::value value = ec ? json::value(text) : parser.release();
    if (leads_to_a_secret(pointer) || holds_a_secret(value)) {
        faults.push_back(
            {pointer, "a secret does not belong on a command line: name an environment variable or a file "
                      "in the configuration"});
        return;
    }
    auto* place = make_place(document, pointer);
    if (place)
        *place = std::move(value);
    else
        faults.push_back(
            {pointer,
             "--set: the path leads through something that is not an object, or past the end of an array"});
}

class loader {
public:
    loader(loaded& out, const storage::registry& stores, secrets how)
        : out_(out), stores_(stores), secrets_(how) {}

    void load(const json::object& document) {
        const object_reader top(document, "", out_.faults);
        top.only({"data_dir", "credentials", "flows", "default", "event", "delivery", "spool", "sources",
                  "run", "server"});
        std::string data_dir = "data";
        top.read("data_dir", data_dir);
        out_.what.data_dir = out_.what.base_directory / data_dir;
        if (const auto credentials = top.object("credentials")) read_credentials(*credentials);
        if (const auto flows = top.object("flows")) read_flows(*flows);
        if (const auto* routing = top.find("default"))
            out_.what.routing.otherwise = read_routing(*routing, "/default");
        else if (out_.what.routing.flows.empty())
            out_.warnings.push_back(
                {"/default",
                 "is absent, and so are flows: events without a firehose object of their own go nowhere"});
        if (const auto event = top.object("event")) read_event(*event);
        if (const auto how = top.object("delivery")) read_delivery(*how);
        if (out_.what.batch) place_by(out_.what.batch.value(), timestamp_, out_.what.shape);
        if (const auto spool = top.object("spool")) read_spool(*spool);
        if (const auto* sources = top.find("sources")) read_sources(*sources, secrets_, out_);
        if (const auto how = top.object("run")) {
            how->only({"shards", "shard_bytes"});
            how->read("shards", out_.what.run.shards, 0, 1024);
            how->read("shard_bytes", out_.what.run.shard_bytes, 1, 1ULL << 40);
        }
        if (const auto server = top.object("server")) {
            out_.what.server = read_server(*server, out_.what.base_directory);
            out_.what.keys = read_keyring(*server, out_.what.base_directory, secrets_, out_.warnings);
        }
        out_.what.server.ingest.max_event = out_.what.max_event_bytes;
    }

private:
    void read_credentials(const object_reader& all) {
        for (const auto& [key, value] : all.value()) {
            const std::string id(key);
            if (const auto one = all.object(id))
                out_.what.credentials[id] =
                    read_credential(id, *one, out_.what.base_directory, secrets_, out_.warnings);
        }
    }

    void read_flows(const object_reader& all) {
        for (const auto& [key, value] : all.value()) {
            const std::string id(key);
            const auto flow = all.object(id);
            if (!flow) continue;
            flow->only({"firehose", "name"});
            const auto* routing = flow->find("firehose");
            if (routing)
                out_.what.routing.flows[id] = read_routing(*routing, flow->at("firehose"));
            else
                flow->fail("firehose", "is required");
        }
    }

    stages::target_list read_routing(const json::value& value, const std::string& pointer) {
        const auto known = [this](const storage::destination& to) {
            // A store may look into the secret, a connection string say, which is not there then.
            if (secrets_ == secrets::not_needed && stores_.find(to.type)) return std::string();
            return stages::check_destination(stores_, out_.what.credentials, to);
        };
        const auto check = stages::apart_from_spool(known, out_.what.base_directory, out_.what.data_dir);
        for (auto& f : stages::check_routing(value, check))
            out_.faults.push_back({pointer + f.pointer, std::move(f.message)});
        auto targets = stages::targets_of(value, check);
        for (const auto& t : targets)
            if (std::ranges::find(out_.what.services, t.to.service) == out_.what.services.end())
                out_.what.services.push_back(t.to.service);
        return std::make_shared<const std::vector<stages::target>>(std::move(targets));
    }

    void read_event(const object_reader& from) {
        from.only({"id", "group", "flow", "timestamp", "missing_id", "max_bytes", "check"});
        auto& shape = out_.what.shape;
        from.read_pointers("id", shape.id);
        from.read_pointers("group", shape.group);
        from.read_pointers("flow", shape.flow);
        from.read_pointers("timestamp", timestamp_);
        from.read("max_bytes", out_.what.max_event_bytes, 1, 1ULL << 30);
        std::string check = "full";
        from.read("check", check);
        if (check == "fields")
            shape.check = stages::event_check::fields;
        else if (check != "full")
            from.fail("check", "must be \"full\" or \"fields\"");
        std::string missing = "hash";
        from.read("missing_id", missing);
        if (missing == "dead_letter")
            shape.without_id = stages::missing_id::dead_letter;
        else if (missing != "hash")
            from.fail("missing_id", "must be \"hash\" or \"dead_letter\"");
    }

    void read_delivery(const object_reader& from) {
        from.only({"layout",
                   "batch",
                   "in_flight",
                   "queue_bytes",
                   "attempts",
                   "backoff_ms",
                   "backoff_cap_ms",
                   "timeout_ms",
                   "stopped_probe_ms",
                   "connect_timeout_ms",
                   "tls_timeout_ms",
                   "first_byte_timeout_ms",
                   "progress_timeout_ms",
                   "breaker_failures",
                   "breaker_cap_ms",
                   "retry_backoff_ms",
                   "retry_backoff_cap_ms",
                   "park_after_attempts",
                   "destinations",
                   "http"});
        auto& how = out_.what.delivery;
        std::string layout = "event";
        from.read("layout", layout);
        if (layout != "event" && layout != "batch")
            from.fail("layout", "must be \"event\", one object per event, or \"batch\"");
        const auto batch = from.object("batch");
        if (batch && layout == "event") from.fail("batch", "needs \"layout\": \"batch\"");
        if (layout == "batch") {
            const json::object none;
            out_.what.batch = read_batch(batch ? *batch : object_reader(none, from.at("batch"), out_.faults));
            how.queue_bytes = out_.what.batch->memory / 4;
        }
        from.read("in_flight", how.in_flight, 1, 4096);
        from.read("queue_bytes", how.queue_bytes, 1 << 10, 1ULL << 32);
        from.read("attempts", how.attempts, 1, 10);
        from.read("backoff_ms", how.backoff);
        from.read("backoff_cap_ms", how.backoff_cap);
        from.read("timeout_ms", how.timeout);
        from.read("breaker_failures", how.gate.failures, 1, 1000);
        from.read("breaker_cap_ms", how.gate.cap);
        from.read("stopped_probe_ms", how.gate.after_stop);
        from.read("retry_backoff_ms", how.spool_backoff);
        from.read("retry_backoff_cap_ms", how.spool_backoff_cap);
        from.read("park_after_attempts", how.park_after_attempts, 0, 1'000'000);
        if (const auto* rules = from.find("destinations"))
            out_.what.destinations = read_destinations(*rules, from.at("destinations"), out_.faults);
        auto& wait = out_.what.http.wait;
        from.read("connect_timeout_ms", wait.connect);
        from.read("tls_timeout_ms", wait.tls);
        from.read("first_byte_timeout_ms", wait.first_byte);
        from.read("progress_timeout_ms", wait.progress);
        wait.whole = how.timeout;
        if (const auto http = from.object("http"))
            read_http(*http, out_.what.base_directory, secrets_, out_.what.http, out_.warnings);
    }

    void read_spool(const object_reader& from) {
        std::string order = "oldest";
        from.read("order", order);
        if (order != "oldest" && order != "newest")
            from.fail("order", "must be \"oldest\" or \"newest\": which records are sent first");
        out_.what.unspool.newest_first = order == "newest";
        from.read("share_percent", out_.what.unspool.share_percent, 1, 100);
        std::string type = "directory";
        from.read("type", type);
        if (type == "directory") return from.only({"type", "order", "share_percent"});
        if (type != "sqs") return from.fail("type", "must be \"directory\" or \"sqs\"");
        from.only({"type", "order", "share_percent", "queue_url", "credential_id", "message_bytes",
                   "dead_letter_queue_url", "visibility_seconds", "wait_seconds"});
        stages::sqs_spool_settings queue;
        from.read("queue_url", queue.queue_url);
        from.read("credential_id", queue.credential_id);
        from.read("dead_letter_queue_url", queue.dead_letter_queue_url);
        from.read("message_bytes", queue.how.message_bytes, 4096, 1 << 20);
        unsigned visibility = 60, wait = 5;
        from.read("visibility_seconds", visibility, 3, 43'200);
        from.read("wait_seconds", wait, 1, 20);
        queue.how.visibility = std::chrono::seconds(visibility);
        queue.how.wait = std::chrono::seconds(wait);
        if (queue.queue_url.empty()) return from.fail("queue_url", "is required");
        if (queue.credential_id.empty()) return from.fail("credential_id", "is required");
        const auto problem = stages::sqs_spool_problem(queue, out_.what.credentials);
        if (!problem.empty() && secrets_ != secrets::not_needed) return from.fail("queue_url", problem);
        out_.what.sqs = std::move(queue);
    }

    loaded& out_;
    const storage::registry& stores_;
    secrets secrets_;
    std::vector<std::string> timestamp_ = default_timestamps();
};

}  // namespace

loaded load_configuration(const std::filesystem::path& file, const override_list& overrides,
                          const storage::registry& stores, secrets how) {
    loaded out;
    std::error_code ignored;
    out.what.base_directory = std::filesystem::absolute(file, ignored).parent_path();
    const auto text = read_file(file);
    if (!text) {
        out.faults.push_back({"", "cannot be read"});
        return out;
    }
    auto document = parse_document(*text, out.faults);
    if (!document) return out;
    for (const auto& [pointer, value] : overrides) apply_override(*document, pointer, value, out.faults);
    out.what.document = std::make_shared<const json::value>(std::move(*document));
    if (out.what.document->is_object())
        loader(out, stores, how).load(out.what.document->get_object());
    else
        out.faults.push_back({"", "must be a JSON object"});
    return out;
}

std::string to_text(const std::filesystem::path& file, const fault& f) {
    auto text = file.string() + ": ";
    if (!f.pointer.empty()) text += f.pointer + ": ";
    return text + f.message;
}

}  // namespace firehose::app
