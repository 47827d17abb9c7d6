// Pages of the event stream per second, as clients on loopback read them from the real binary: from one end
// of the log to the other, at its end, and in search of a rare resource. The last line is the table as JSON.
//     stream_bench path/to/firehose [seconds per figure] [events] [directory]
#include "tests/bench/child_server.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace firehose::bench;

constexpr std::size_t event_bytes = 1024;
constexpr std::size_t rare_every = 5'000;  ///< one event in so many is a tag, all others are leads

std::string event_of(std::size_t number) {
    std::string text = R"({"data":{"id":)" + std::to_string(number) + R"(,"text":")";
    const std::string rest = std::string(R"("},"meta":{"event_type":"updated","sequence":1,"type":")") +
                             (number % rare_every == rare_every - 1 ? "tag" : "lead") + R"("}})";
    text.append(event_bytes - text.size() - rest.size(), 'x');
    return text + rest;
}

void fill(std::uint16_t port, std::size_t events) {
    connection c(port);
    for (std::size_t done = 0; done < events;) {
        std::string body;
        for (const auto end = std::min(events, done + 100); done < end; ++done) body += event_of(done) + "\n";
        const auto reply =
            c.exchange("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                       "Content-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n" + body);
        if (reply.status != 202) throw std::runtime_error("refused: " + std::string(reply.body));
    }
}

/// A client that goes on where it is, and at the top begins again where it began.
class reader {
public:
    reader(std::string resource, std::string limit, std::string start)
        : resource_(std::move(resource)), limit_(std::move(limit)), start_(std::move(start)), at_(start_) {}

    std::size_t next(connection& c) {
        const auto reply =
            c.exchange("GET /v3/" + resource_ + "/stream?limit=" + limit_ + "&position=" + at_ +
                       " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n\r\n");
        if (reply.status != 200) throw std::runtime_error("refused: " + std::string(reply.body));
        constexpr std::string_view before = R"("position":")";
        const auto position = reply.body.rfind(before) + before.size();
        at_ = reply.body.substr(position, reply.body.find('"', position) - position);
        if (reply.body.ends_with(R"("top":true}})")) at_ = start_;
        std::size_t items = 0;
        for (auto at = reply.body.find(R"({"data":)"); at != std::string_view::npos; ++items)
            at = reply.body.find(R"({"data":)", at + event_bytes);
        return items;
    }

private:
    std::string resource_, limit_, start_, at_;
};

struct row {
    const char* name;
    const char* resource;
    const char* limit;
    const char* start;
    unsigned connections;
};

std::string show(const firehose_server& server, const row& what, double seconds) {
    std::vector<reader> readers(what.connections, reader(what.resource, what.limit, what.start));
    const auto one = [&](connection& c, unsigned worker) { return readers[worker].next(c); };
    const auto f = measure(server, server.port(), what.connections, seconds, one);
    const double pages = static_cast<double>(f.requests), items = static_cast<double>(f.units);
    const double per_cpu = f.cpu_seconds > 0 ? pages / f.cpu_seconds : 0;
    std::printf(
        "%-34s %2u connections: %7.0f pages/s, %7.0f per CPU second; %8.0f items/s; ms p50 %.2f, p99 %.2f\n",
        what.name, what.connections, pages / f.seconds, per_cpu, items / f.seconds, f.p50_ms, f.p99_ms);
    std::string json =
        R"({"name":")" + std::string(what.name) + R"(","connections":)" + std::to_string(what.connections);
    const auto add = [&json](const char* key, double value) {
        json.append(",\"").append(key).append("\":").append(std::to_string(value));
    };
    add("pages_per_second", pages / f.seconds);
    add("pages_per_cpu_second", per_cpu);
    add("items_per_second", items / f.seconds);
    add("p50_ms", f.p50_ms);
    add("p99_ms", f.p99_ms);
    return json + "}";
}

void run(const std::string& binary, const std::filesystem::path& where, double seconds, std::size_t events) {
    const firehose_server server(binary, where, R"(, "stream": {"requests_per_second": 0})");
    fill(server.port(), events);
    std::printf("%zu events of %zu bytes\n", events, event_bytes);
    std::string json;
    for (const auto& what : {row{"limit 25, tail to top", "leads", "25", "tail", 1},
                             row{"limit 25, tail to top", "leads", "25", "tail", 8},
                             row{"limit 100, tail to top", "leads", "100", "tail", 1},
                             row{"limit 100, tail to top", "leads", "100", "tail", 8},
                             row{"at the top, empty", "leads", "25", "top", 8},
                             row{"one event in 5,000 of the resource", "tags", "25", "tail", 1}})
        json += (json.empty() ? "" : ",") + show(server, what, seconds);
    std::printf("[%s]\n", json.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: stream_bench path/to/firehose [seconds] [events] [directory]\n", stderr);
        return 2;
    }
    const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
    const auto events = static_cast<std::size_t>(argc > 3 ? std::atol(argv[3]) : 200'000);
    const auto below = argc > 4 ? std::filesystem::path(argv[4]) : std::filesystem::temp_directory_path();
    const auto binary = std::filesystem::absolute(argv[1]);
    return run_below(below, [&](const auto& where) { run(binary, where, seconds, events); });
}
