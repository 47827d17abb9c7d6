/// firehose generate: demo events, the same on every machine for the same seed.
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/verbs.hpp"
#include "pipeline/randomness.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string_view>

namespace firehose::app {
namespace {

constexpr std::uint64_t first_instant_ms = 1'772'323'200'000;  // 2026-03-01T00:00:00Z

/// Draws from lists and ranges; one generator for the whole output.
class dice {
public:
    explicit dice(std::uint64_t seed) : random_(seed) {}
    std::uint64_t below(std::uint64_t n) {
        return static_cast<std::uint64_t>(random_.uniform() * static_cast<double>(n));
    }
    template <std::size_t N> std::string_view of(const std::array<std::string_view, N>& words) {
        return words[below(N)];
    }

private:
    seeded_randomness random_;
};

constexpr std::array<std::string_view, 12> first_names{"Ada",   "Grace", "Linus", "Zoë",  "José", "Mary",
                                                       "Søren", "Chloé", "Ivan",  "Yuki", "Omar", "Nia"};
constexpr std::array<std::string_view, 12> last_names{"Jones", "O'Neil",  "García", "Müller",
                                                      "Nowak", "Smith",   "Tanaka", "Okafor",
                                                      "Silva", "Ivanova", "Brown",  "Lee"};
constexpr std::array<std::string_view, 6> domains{"example.com",  "example.org",  "example.net",
                                                  "mail.example", "corp.example", "home.example"};
constexpr std::array<std::string_view, 8> states{"TX", "CA", "NY", "WA", "FL", "IL", "GA", "CO"};
constexpr std::array<std::string_view, 8> comments{"",
                                                   "called twice",
                                                   "prefers e-mail",
                                                   "asked for a quote \\\"today\\\"",
                                                   "très intéressée",
                                                   "path C:\\\\leads\\\\new",
                                                   "line one\\nline two",
                                                   "日本語のメモ"};

/// An id that looks like a BSON ObjectId and is unique for (kind, number).
std::string object_id(unsigned kind, std::uint64_t number) {
    return fmt::format("66f1{:04x}{:016x}", kind, number);
}

void append_lead(std::string& out, std::uint64_t i, dice& roll, unsigned flows) {
    const auto lead = i / 3;  // a lead has several events
    const auto start = first_instant_ms + i * 37 + roll.below(30);
    const auto ms = 5 + roll.below(900);
    const auto first = roll.of(first_names);
    const auto last = roll.of(last_names);
    const auto domain = roll.of(domains);
    const auto phone = roll.below(10'000'000);
    const auto state = roll.of(states);
    const bool accepted = roll.below(4) != 0;
    const auto flow = roll.below(flows);
    fmt::format_to(
        std::back_inserter(out),
        R"({{"id":"{}","type":"source","outcome":"{}","reason":"{}","vars":{{"submission":{{"timestamp":"{}","ip":"203.0.113.{}"}},)"
        R"("account":{{"id":"64acddadd9b866e066385bd6","name":"Acme, Inc."}},"flow":{{"id":"{}","name":"Flow {}"}},)"
        R"("source":{{"id":"{}","name":"A Corporation"}},"lead":{{"id":"{}","first_name":"{}","last_name":"{}",)"
        R"("email":{{"normal":"user{}@{}","raw":"User{}@{}","domain":"{}","valid":true}},)"
        R"("phone_1":{{"normal":"512{:07}","raw":"(512) {:07}","area":"512","number":"{:07}","country_code":"US","is_tollfree":false,"valid":true}},)"
        R"("state":"{}","comments":"{}"}}}},"appended":{{"trustedform":{{"outcome":"success","billable":{}}}}},)"
        R"("step_count":{},"module_id":"leadconduit-default.inbound.standard","package_version":"2.9.14","handler_version":"4.1.0","version":"2.0.0",)"
        R"("purchase_price":{},"cost":{},"host":"handler-{}","start_timestamp":{},"end_timestamp":{},)"
        R"("ms":{},"wait_ms":{},"overhead_ms":{},"lag_ms":{},"total_ms":{},"cap_reached":false,"ping_limit_reached":false}})"
        "\n",
        object_id(1, i), accepted ? "success" : "failure", accepted ? "" : "Lead must live in TX", start,
        roll.below(256), object_id(2, flow), flow, object_id(3, roll.below(20)), object_id(4, lead), first,
        last, i, domain, i, domain, domain, phone, phone, phone, state, roll.of(comments), roll.below(2),
        roll.below(6), roll.below(60), roll.below(60), roll.below(8), start, start + ms, ms, ms * 9 / 10,
        ms - ms * 9 / 10, roll.below(9), ms);
}

constexpr std::array<std::string_view, 3> event_types{"created", "updated", "updated"};

void append_crm(std::string& out, std::uint64_t i, dice& roll, unsigned flows) {
    const auto type = roll.of(event_types);
    const auto id = 1 + i / 3;
    const auto cents = roll.below(10'000'000);
    const auto flow = roll.below(flows);
    fmt::format_to(
        std::back_inserter(out),
        R"({{"data":{{"id":{},"name":"Deal {} {}","value":"{}.{:02}","currency":"EUR","hot":{},"stage_id":{},"owner_id":{},)"
        R"("tags":[],"custom_field_values":[],"created_at":"2026-03-01T00:00:00Z"}},"meta":{{"event_id":"{:016x}{:06x}","event_type":"{}",)"
        R"("event_cause":"interaction",{}"sequence":{},"type":"deal","event_time":"2026-03-{:02}T{:02}:{:02}:{:02}Z"}},"vars":{{"flow":{{"id":"{}"}}}}}})"
        "\n",
        id, roll.of(last_names), id, cents / 100, cents % 100, roll.below(2) ? "true" : "false",
        roll.below(9), roll.below(40), i, roll.below(1 << 24), type,
        type == "updated" ? R"("previous":{"hot":null},)" : "", 1 + i % 3, 1 + i / 86'400 % 28, i / 3600 % 24,
        i / 60 % 60, i % 60, object_id(2, flow));
}

bool flush(std::string& text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    text.clear();
    return written;
}

}  // namespace

int generate_verb(const generate_arguments& args) {
    constexpr std::size_t block = 1 << 20;
    dice roll(args.seed);
    std::string text;
    text.reserve(block + 4096);
    const auto append = args.kind == "crm" ? append_crm : append_lead;
    bool written = true;
    for (std::uint64_t i = 0; i < args.count && written; ++i) {
        append(text, i, roll, args.flows);
        if (text.size() >= block) written = flush(text);
    }
    if (written) written = flush(text);
    if (written && std::fflush(stdout) == 0) return exit_code::all_delivered;
    std::fprintf(stderr, "firehose generate: cannot write to standard output: %s\n", std::strerror(errno));
    return exit_code::internal;
}

}  // namespace firehose::app
