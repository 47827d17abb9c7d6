/// An event stream in memory behind a fake transport, and a source that pulls it in virtual time.
#pragma once
#include "pipeline/compose.hpp"
#include "stages/ingest_stream.hpp"
#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/storage/fake_transport.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace firehose {

/// One request as the peer saw it, and when.
struct pull_request {
    seen_request what{};
    time_source::steady at{};
    std::string position() const {
        const auto begin = what.target.find("position=") + 9;
        return http::decode_percent(what.target.substr(begin, what.target.find('&', begin) - begin));
    }
};

/// Answers by the script while there is any, then as a stream of `events` whose positions count them:
/// "tail", "top", "p0", "p1", ….
struct stream_peer {
    std::vector<std::string> events{};
    std::size_t page = 2;  ///< events a page
    std::deque<std::function<result<http::response>(const pull_request&)>> script{};
    std::vector<pull_request> seen{};

    static std::string page_of(const std::vector<std::string>& items, const std::string& position, bool top) {
        std::string out = "{ \"items\" : [";
        for (const auto& item : items) out += (&item == &items.front() ? "" : ", ") + item;
        return out + "], \"meta\": {\"type\":\"sync\", \"position\":\"" + position +
               "\", \"top\": " + (top ? "true" : "false") +
               ", \"links\":{\"next\":\"https://x/?position=q\"}}}";
    }
    http::response answer_from(const std::string& position) const {
        const auto number = position == "tail"  ? 0
                            : position == "top" ? events.size()
                                                : std::stoul(position.substr(1));
        const auto end = std::min(events.size(), number + page);
        const std::vector<std::string> items(events.begin() + static_cast<std::ptrdiff_t>(number),
                                             events.begin() + static_cast<std::ptrdiff_t>(end));
        return answer(200, page_of(items, "p" + std::to_string(end), end == events.size()));
    }
    result<http::response> reply(pull_request r) {
        seen.push_back(r);
        if (script.empty()) return answer_from(r.position());
        auto next = std::move(script.front());
        script.pop_front();
        return next(r);
    }
    void say(http::response what) {
        script.push_back([what = std::move(what)](const pull_request&) { return what; });
    }
    void say(int status, std::string body = "", http::header_list headers = {}) {
        say(answer(status, std::move(body), std::move(headers)));
    }
    void fail(std::string why) {
        script.push_back([why](const pull_request&) { return error(disposition::retry, why); });
    }
    std::vector<std::string> positions() const {
        std::vector<std::string> out;
        for (const auto& r : seen) out.push_back(r.position());
        return out;
    }
};

class peer_transport final : public http::transport {
public:
    peer_transport(stream_peer& to, time_source& time, std::string host)
        : to_(to), time_(time), host_(std::move(host)) {}
    task<result<http::response>> send(http::request& req, time_source::steady) override {
        pull_request seen;
        seen.at = time_.now();
        seen.what = {host_, req.method, req.target, req.headers, {}};
        for (const auto& part : req.body)
            for (const auto byte : part) seen.what.body += static_cast<char>(byte);
        co_return to_.reply(std::move(seen));
    }

private:
    stream_peer& to_;
    time_source& time_;
    std::string host_;
};

/// Takes events and gives verdicts: at once, or when the test says so.
struct event_sink {
    using input_type = stages::raw_event;
    struct shared {
        std::vector<std::string> events{};
        std::vector<std::string> flows{};
        std::vector<ack_token> held{};
        std::deque<outcome> verdicts{};  ///< then `stored`
        bool holds = false;
    };
    std::shared_ptr<shared> to = std::make_shared<shared>();

    task<> run(receiver<stages::raw_event> in, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            for (const auto& e : b->items()) {
                to->events.emplace_back(as_text(e.bytes));
                to->flows.emplace_back(as_text(e.flow));
            }
            auto ack = b->take_ack();
            if (to->holds) {
                to->held.push_back(std::move(ack));
                continue;
            }
            auto said = outcome::stored;
            if (!to->verdicts.empty()) {
                said = to->verdicts.front();
                to->verdicts.pop_front();
            }
            ack.resolve(said);
        }
    }
};

inline std::string crm_event(int id, int sequence, const std::string& more = "") {
    const auto name = std::to_string(id);
    return R"({"data":{"id":)" + name + R"(,"name":"ünï"},"meta":{"event_id":"e)" + name + "-" +
           std::to_string(sequence) + R"(","type":"lead", "sequence":)" + std::to_string(sequence) + more +
           "}}";
}

struct stream_rig : shard_fixture {
    using options = stages::ingest_stream::options;
    using report = stages::ingest_stream::report;

    stream_rig() {
        how.name = "leads";
        how.directory = "/data/sources/leads";
        how.at.to.host = "crm.example";
        how.at.path = "/v3/leads/stream";
        how.with.token = http::secret("canary-token");
        how.then = stages::at_top::end;
        how.attempts = 3;
        how.connect = [this](const http::authority& to, http::signer*) {
            return std::make_shared<peer_transport>(peer, time, to.host);
        };
        for (int i = 1; i <= 5; ++i) peer.events.push_back(crm_event(i, 1));
    }

    struct started {
        std::shared_ptr<const report> what{};
        std::optional<started_task> running{};
    };
    started begin(storage::file_system& fs) {
        stages::ingest_stream source(fs, how);
        started out;
        out.what = source.outcome();
        event_sink end;
        end.to = sink;
        out.running = start(run_it(std::move(source), std::move(end), x));
        settle();
        return out;
    }
    started begin() { return begin(disk); }
    /// To its end.
    std::shared_ptr<const report> pull(storage::file_system& fs) {
        auto begun = begin(fs);
        finish(*begun.running);
        return begun.what;
    }
    std::shared_ptr<const report> pull() { return pull(disk); }

    static task<> run_it(stages::ingest_stream source, event_sink to, context& x) {
        auto pipeline = chain(std::move(source), std::move(to));
        co_await pipeline.run(x);
    }

    /// What is on disk: "" when there is nothing.
    static std::string stored_in(const faults::memory_files& on) {
        for (const auto& file : on.files())
            if (file == "/data/sources/leads/position") {
                const auto text = on.content(file);
                return text.substr(0, text.find('\n'));
            }
        return "";
    }
    std::string stored() const { return stored_in(disk); }
    bool logged(std::string_view words) const {
        return std::ranges::any_of(
            log_lines, [&](const std::string& line) { return line.find(words) != std::string::npos; });
    }

    faults::memory_files disk;
    stream_peer peer;
    options how;
    std::shared_ptr<event_sink::shared> sink = std::make_shared<event_sink::shared>();
};

}  // namespace firehose
