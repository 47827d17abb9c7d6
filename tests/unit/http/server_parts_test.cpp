#include "http/accept.hpp"
#include "http/head_guard.hpp"
#include "http/router.hpp"
#include "pipeline/randomness.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace firehose;
using namespace firehose::http;

namespace {

constexpr std::string_view good_head =
    "POST /flows/a%20b/events?partial=true HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\n"
    "Content-Length: 12\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";

std::size_t count_of(const header_list& headers, std::string_view name) {
    return static_cast<std::size_t>(
        std::ranges::count_if(headers, [&](const auto& h) { return same_name(h.first, name); }));
}

/// What must hold of every head that is let in, whatever was sent.
bool is_sound(const guarded_head& head) {
    const bool two_ends = head.chunked && head.length;
    const bool framing_hidden = !head.chunked && count_of(head.headers, "Transfer-Encoding") > 0;
    const bool hosts =
        head.minor == 0 ? count_of(head.headers, "Host") <= 1 : count_of(head.headers, "Host") == 1;
    const bool clean = std::ranges::all_of(head.headers, [](const auto& h) {
        return !h.first.empty() && h.first.find_first_of(" \t\r\n:") == std::string::npos &&
               h.second.find_first_of("\r\n\0") == std::string::npos;
    });
    const bool target = head.target == "*" || head.target.front() == '/';
    return !two_ends && !framing_hidden && hosts && clean && target &&
           count_of(head.headers, "Content-Length") <= 1;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(server_parts)

BOOST_AUTO_TEST_CASE(a_head_is_read) {
    const auto read = guard_head(good_head, {});
    BOOST_REQUIRE(std::holds_alternative<guarded_head>(read));
    const auto& head = std::get<guarded_head>(read);
    BOOST_TEST(head.method == "POST");
    BOOST_TEST(head.target == "/flows/a%20b/events?partial=true");
    BOOST_TEST(head.length.value() == 12U);
    BOOST_TEST(head.expects_continue);
    BOOST_TEST(!head.keep_alive);
    BOOST_TEST(is_sound(head));
}

BOOST_AUTO_TEST_CASE(no_part_of_a_good_head_is_refused_before_the_rest_has_come) {
    std::size_t checked = 0;
    for (std::size_t n = 0; n <= good_head.size(); ++n)
        BOOST_TEST(!check_partial_head(good_head.substr(0, n), checked, {}).has_value());
}

BOOST_AUTO_TEST_CASE(whatever_is_sent_what_gets_in_is_sound) {
    seeded_randomness random(20'261'128);
    const auto draw = [&](std::size_t below) {
        return std::min(below - 1, static_cast<std::size_t>(random.uniform() * static_cast<double>(below)));
    };
    const std::vector<std::string> pieces{"\r\n",
                                          "\n",
                                          "\r",
                                          " ",
                                          "\t",
                                          ":",
                                          "\0",
                                          "Host: b\r\n",
                                          "Content-Length: 3\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          "Transfer-Encoding: x\r\n",
                                          " folded\r\n",
                                          "0",
                                          ",",
                                          "\x0b",
                                          "HTTP/1.0",
                                          "HTTP/1.1",
                                          "chunked"};
    std::size_t let_in = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(good_head);
        for (std::size_t n = 1 + draw(3); n > 0; --n) {
            const auto at = draw(bytes.size());
            switch (draw(3)) {
                case 0: bytes[at] = static_cast<char>(draw(256)); break;
                case 1: bytes.erase(at, 1 + draw(12)); break;
                default: bytes.insert(at, pieces[draw(pieces.size())]);
            }
        }
        const auto end = bytes.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        const auto read = guard_head(std::string_view(bytes).substr(0, end + 4), {});
        if (const auto* head = std::get_if<guarded_head>(&read)) {
            ++let_in;
            BOOST_TEST(is_sound(*head), "let in: " << bytes);
        }
    }
    BOOST_TEST(let_in > 1'000U);  // or the mutations test nothing
}

BOOST_AUTO_TEST_CASE(literal_segments_win_over_parameters_whatever_the_order) {
    router r;
    for (const char* pattern :
         {"/{any}", "/a", "/{any}/b", "/a/{any}", "/a/b", "/n/{x:number}", "/n/{x:id}", "/n/{x:word}"})
        r.add({.method = "GET", .pattern = pattern});
    const auto found = [&](std::string_view path) {
        const auto match = r.find("GET", path);
        return match.found != nullptr ? match.found->pattern : std::to_string(match.why->status);
    };
    BOOST_TEST(found("/a") == "/a");
    BOOST_TEST(found("/x") == "/{any}");
    BOOST_TEST(found("/a/b") == "/a/b");
    BOOST_TEST(found("/a/x") == "/a/{any}");
    BOOST_TEST(found("/x/b") == "/{any}/b");
    BOOST_TEST(found("/x/y") == "404");
    BOOST_TEST(found("/n/66f1c0de940df5a34a388801") == "/n/{x:id}");
    BOOST_TEST(found("/n/12") == "/n/{x:number}");
    BOOST_TEST(found("/n/leads") == "/n/{x:word}");
    BOOST_TEST(found("/n/Leads") == "404");
    BOOST_TEST(found("/%zz") == "400");
    BOOST_CHECK_THROW(r.add({.method = "GET", .pattern = "/a"}), std::invalid_argument);
    BOOST_CHECK_THROW(r.add({.method = "GET", .pattern = "/{x:color}"}), std::invalid_argument);
    BOOST_CHECK_THROW(r.add({.method = "GET", .pattern = "a"}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(the_closest_range_of_accept_decides) {
    const auto taken = [](std::initializer_list<std::string> values) {
        header_list headers;
        for (const auto& v : values) headers.emplace_back("accept", v);
        return accepts(headers, "application/json");
    };
    BOOST_TEST(taken({}));
    for (const char* yes :
         {"application/json", "*/*", "application/*", "text/html, */*;q=0.1", "a/b;q=0,application/json",
          "*/*;q=0, application/json", "application/json;q=0.001", "APPLICATION/JSON ; charset=utf-8",
          "application/json;q=0.0001, text/html"})
        BOOST_TEST(taken({yes}), yes);
    for (const char* no :
         {"", "text/html", "application/json;q=0", "*/*;q=0", "application/json;q=0.000, */*",
          "application/*;q=0, */*", "json", "application/jsonx", "text/*", "application/json;a=b;q=0"})
        BOOST_TEST(!taken({no}), no);
    BOOST_TEST(taken({"text/html", "application/json"}));
}

BOOST_AUTO_TEST_CASE(queries_and_json_text) {
    const auto pairs = parse_query("a=1&b=%26+%2B&&c&=d");
    BOOST_REQUIRE(pairs.has_value());
    BOOST_REQUIRE(pairs->size() == 4U);
    BOOST_TEST((*pairs)[1].second == "& +");
    BOOST_TEST((*pairs)[2].first == "c");
    BOOST_TEST(!parse_query("a=%2").has_value());
    BOOST_TEST(!parse_query("%xy=1").has_value());
    BOOST_TEST(parse_query("").value().empty());
    BOOST_TEST(json_string("a\"\\\n\x01 \xc3\xa4\xff\xed\xa0\x80") ==
               "\"a\\\"\\\\\\u000a\\u0001 \xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

BOOST_AUTO_TEST_SUITE_END()
