// The event stream API above its sockets: what is asked, answered and refused, over a log in memory.
#include "examples/firehose/check_api.hpp"
#include "examples/firehose/config_reader.hpp"
#include "examples/firehose/http_api.hpp"
#include "examples/firehose/openapi.hpp"
#include "examples/firehose/openapi_check.hpp"
#include "examples/firehose/request_rate.hpp"
#include "stages/stream_position.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct empty_body final : http::body_reader {
    task<result<bytes_view>> next() override { co_return bytes_view(); }
};

http::header_list client() {
    return {{"Host", "events.example.com:8443"}, {"User-Agent", "curl/7.88"}, {"Accept", "application/json"}};
}

http::header_list without(http::header_list from, std::string_view name) {
    std::erase_if(from, [&](const auto& h) { return h.first == name; });
    return from;
}

http::header_list with(std::string_view name, std::string value) {
    auto out = client();
    http::set_header(out, name, std::move(value));
    return out;
}

struct api_fixture : shard_fixture {
    faults::memory_files disk;
    server_settings how;
    std::unique_ptr<stages::event_log> log;
    std::unique_ptr<stages::log_window> window;
    std::optional<request_rate> rate;
    std::unique_ptr<http_api> made;
    bool ready = true, tls = true;
    std::string path = "/v3/leads/stream";

    api_fixture() {
        auto opened = run(stages::event_log::open(x, disk, "/data", {}));
        log = std::move(*opened);
        window = std::make_unique<stages::log_window>(x, *log, 1 << 20);
        how.stream.requests_per_second = 0;
    }
    http_api& api() {
        if (made) return *made;
        rate.emplace(how.tokens, how.stream.requests_per_second, how.stream.burst);
        api_backend backend;
        backend.ready = [this] { return ready; };
        backend.stream.read = [this](stages::log_position from, std::size_t most) {
            return window->read(from, most);
        };
        backend.stream.admit = [this](std::string_view user) { return rate->take(user, time.now()); };
        access_table access(how.tokens, true, random);
        made =
            std::make_unique<http_api>(x, how, stages::event_shape(), std::move(access), std::move(backend));
        return *made;
    }
    void add(const std::string& event) {
        stages::log_append what;
        what.bytes = event;
        what.lengths = {static_cast<std::uint32_t>(event.size())};
        BOOST_REQUIRE(run(log->append(std::move(what))).has_value());
    }
    /// As the server would: route, handler, and the form of errors.
    http::response ask(std::string query, http::header_list headers = client(), std::string method = "GET") {
        http::request_head head;
        head.method = std::move(method);
        head.path = path;
        head.query = std::move(query);
        head.headers = std::move(headers);
        head.id = "3f0e1b5c-0000-4000-8000-000000000000";
        head.tls = tls;
        auto match = api().routes().find(head.method, head.path);
        http::answer answer = http::refusal(404, "", "");
        if (match.why) answer = *match.why;
        head.parameters = std::move(match.parameters);
        empty_body none;
        if (match.found != nullptr) answer = run(match.found->run(head, none));
        if (auto* good = std::get_if<http::response>(&answer)) return std::move(*good);
        auto out = (*match.errors)(head, std::get<http::refusal>(answer));
        for (const auto& h : std::get<http::refusal>(answer).headers) out.headers.push_back(h);
        return out;
    }
    /// "status code", checked to be in the envelope.
    std::string fault(std::string query, http::header_list headers = client(), std::string method = "GET") {
        const auto got = ask(std::move(query), std::move(headers), std::move(method));
        const auto body = json::parse(got.body);
        const auto& error = body.at("errors").at(0).at("error");
        const std::string code(error.at("code").as_string());
        BOOST_TEST(body.at("errors").as_array().size() == 1U);
        BOOST_TEST(!error.at("details").as_string().empty());
        BOOST_TEST(error.at("message").as_string() == std::string(http::reason_of(got.status)));
        BOOST_TEST(body.at("errors").at(0).at("meta").at("type").as_string() == "error");
        BOOST_TEST(body.at("errors").at(0).at("meta").at("links").at("more_info").as_string() ==
                   "https://events.example.com:8443/docs/errors");
        BOOST_TEST(body.at("meta").at("type").as_string() == "errors");
        BOOST_TEST(body.at("meta").at("logref").as_string() == "3f0e1b5c-0000-4000-8000-000000000000");
        BOOST_TEST(body.at("meta").at("http_status").as_string() ==
                   std::to_string(got.status) + " " + std::string(http::reason_of(got.status)));
        BOOST_TEST(*http::find_header(got.headers, "Content-Type") == "application/json; charset=utf-8");
        BOOST_TEST(http::find_header(got.headers, "Content-Language") != nullptr);
        return std::to_string(got.status) + " " + code;
    }
};

const std::string lead = R"({"data":{"id":1},"meta":{"type":"lead","sequence":1}})";

std::string faults_of(std::string_view text, stream_settings& out) {
    const auto document = json::parse(text);
    std::vector<fault> faults;
    read_stream(object_reader(document.get_object(), "/server/stream", faults), out);
    std::string all;
    for (const auto& f : faults) all += f.pointer + " " + f.message + "\n";
    return all;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(the_stream_api, api_fixture)

BOOST_AUTO_TEST_CASE(a_page_as_documented) {
    add(lead);
    const auto got = ask("position=tail");
    BOOST_TEST(got.status == 200);
    const auto next = stages::encode_stream_position(2, {"", "leads"});
    BOOST_TEST(got.body ==
               R"({"items":[)" + lead + R"(],"meta":{"links":{"next":"https://events.example.com:8443)" +
                   "/v3/leads/stream?position=" + next + R"("},"position":")" + next + R"(","top":true}})");
    BOOST_TEST(*http::find_header(got.headers, "Content-Type") == "application/json; charset=utf-8");
    BOOST_TEST(http::find_header(got.headers, "Content-Language") != nullptr);
    BOOST_TEST(http::find_header(got.headers, "Vary") != nullptr);
    // The link as it stands, and the position with the sign some clients add, and escape.
    BOOST_TEST(ask("position=" + next).status == 200);
    BOOST_TEST(ask("position=" + next + "%3D").status == 200);
    BOOST_TEST(ask("position=" + next + "=&unknown=1").status == 200);
    BOOST_TEST(ask("position=top").body.find("\"items\":[],") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_link_repeats_the_limit_only_where_one_was_given) {
    BOOST_TEST(ask("limit=7&position=tail").body.find("&limit=7\"") != std::string::npos);
    BOOST_TEST(ask("position=tail").body.find("limit") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(behind_a_proxy_links_have_the_public_url) {
    how.public_url = "https://api.example.org/base";
    tls = false;
    BOOST_TEST(ask("position=tail").body.find("\"https://api.example.org/base/v3/leads/stream?position=") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_error_is_in_the_envelope) {
    how.stream.account = "acme";
    const auto here = stages::encode_stream_position(1, {"acme", "leads"});
    BOOST_TEST(ask("position=" + here).status == 200);
    for (const auto& bad :
         {std::string(), std::string("limit=1"), std::string("position="), std::string("position=nonsense"),
          "position=" + here + "&position=" + here, "position=" + here + "A",
          "position=" + stages::encode_stream_position(1, {"acme", "deals"}),
          "position=" + stages::encode_stream_position(1, {"other", "leads"}),
          "position=" + stages::encode_stream_position(99, {"acme", "leads"}), std::string("position=%2"),
          std::string("position=TAIL")})
        BOOST_TEST(fault(bad) == "400 invalid_param", bad);
    for (const char* limit : {"0", "101", "-1", "1.5", "", "ten", "1 ", "+5", "99999999999999999999"})
        BOOST_TEST(fault("position=tail&limit=" + std::string(limit)) == "400 invalid_param", limit);
    for (const char* limit : {"1", "100"})
        BOOST_TEST(ask("position=tail&limit=" + std::string(limit)).status == 200);
    BOOST_TEST(fault("position=tail", without(client(), "User-Agent")) == "400 invalid_header");
    BOOST_TEST(fault("position=tail", with("Accept", "text/html")) == "406 not_acceptable");
    BOOST_TEST(fault("position=tail", with("Accept", "application/json;q=0, */*")) == "406 not_acceptable");
    for (const char* accept :
         {"*/*", "application/*", "text/html, application/json;q=0.1", "Application/JSON; a=b"})
        BOOST_TEST(ask("position=tail", with("Accept", accept)).status == 200, accept);
    BOOST_TEST(ask("position=tail", without(client(), "Accept")).status == 200);
    BOOST_TEST(fault("position=tail", client(), "POST") == "405 method_not_allowed");
    path = "/v3/lead/stream";
    BOOST_TEST(fault("position=tail") == "404 incorrect_path");
    path = "/v3/leads";
    BOOST_TEST(fault("position=tail") == "404 incorrect_path");
    path = "/%763/leads";
    BOOST_TEST(fault("position=tail") == "404 incorrect_path");
    ready = false;
    path = "/v3/leads/stream";
    BOOST_TEST(fault("position=tail") == "503 temporarily_unavailable");
    BOOST_TEST(*http::find_header(ask("position=tail").headers, "Retry-After") == "1");
}

BOOST_AUTO_TEST_CASE(an_expired_position_names_the_two_ways_on) {
    add(lead);
    time.advance(80h);
    add(lead);
    log->set_delivered(log->end());
    BOOST_REQUIRE(run(log->trim()).has_value());
    time.advance(80h);
    BOOST_REQUIRE(run(log->trim()).has_value());
    BOOST_REQUIRE(log->begin() > 1U);
    const auto old = "position=" + stages::encode_stream_position(1, {"", "leads"});
    BOOST_TEST(fault(old) == "410 position_expired");
    const auto body = ask(old).body;
    BOOST_TEST(body.find("410 Gone") != std::string::npos);
    BOOST_TEST(body.find("tail") != std::string::npos);
    BOOST_TEST(body.find("top") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(each_token_has_its_rate) {
    how.tokens = {{"a", {}, {}}, {"b", {}, {}}};
    request_rate ten(how.tokens, 10, 10);
    for (int i = 0; i < 10; ++i) BOOST_TEST(!ten.take("a", time.now()).has_value());
    BOOST_TEST((ten.take("a", time.now()).value() == 100ms));
    BOOST_TEST(!ten.take("b", time.now()).has_value());
    BOOST_TEST(!ten.take("nobody", time.now()).has_value());
    time.advance(250ms);
    BOOST_TEST(!ten.take("a", time.now()).has_value());
    BOOST_TEST(!ten.take("a", time.now()).has_value());
    BOOST_TEST((ten.take("a", time.now()).value() == 50ms));
    time.advance(1h);
    for (int i = 0; i < 10; ++i) BOOST_TEST(!ten.take("a", time.now()).has_value());
    BOOST_TEST(ten.take("a", time.now()).has_value());
    request_rate free(how.tokens, 0, 1);
    for (int i = 0; i < 1000; ++i) BOOST_TEST(!free.take("a", time.now()).has_value());
    // Another shard may have read the clock a little earlier.
    BOOST_TEST(!free.take("a", time.now() - 1ns).has_value());

    how.stream.requests_per_second = 1;
    how.stream.burst = 2;
    BOOST_TEST(ask("position=tail").status == 200);
    BOOST_TEST(ask("position=").status == 400);  // counts too
    BOOST_TEST(fault("position=tail") == "429 rate_limit_exceeded");
    BOOST_TEST(*http::find_header(ask("position=tail").headers, "Retry-After") == "1");
}

BOOST_AUTO_TEST_CASE(the_test_switch_repeats_a_page_and_loses_none) {
    how.stream.repeat_every = 2;
    for (int i = 0; i < 6; ++i) add(lead);
    std::string query = "limit=2&position=tail";
    std::size_t items = 0, pages = 0;
    for (bool top = false; !top && pages < 20; ++pages) {
        const auto body = json::parse(ask(query).body);
        items += body.at("items").as_array().size();
        top = body.at("meta").at("top").as_bool();
        query = "limit=2&position=" + std::string(body.at("meta").at("position").as_string());
    }
    BOOST_TEST(pages == 5U);
    BOOST_TEST(items == 10U);
}

BOOST_AUTO_TEST_CASE(the_settings_of_the_stream) {
    stream_settings good;
    BOOST_TEST(faults_of(R"({"resources": {"invoices": "invoice"}, "requests_per_second": 0, "scan_ms": 50,
                            "scan_events": 10, "page_bytes": 1000, "account": "a", "burst": 3})",
                         good) == "");
    BOOST_TEST(*good.resources.type_of("invoices") == "invoice");
    BOOST_TEST((good.limits.scan == 50ms));
    how.stream = good;
    path = "/v3/invoices/stream";
    add(R"({"data":{},"meta":{"type":"invoice"}})");
    BOOST_TEST(ask("position=tail").body.find("\"invoice\"") != std::string::npos);
    stream_settings bad;
    const auto all =
        faults_of(R"({"resources": {"In voices": "x", "a": 1, "b": ""}, "scan_ms": 0, "limit": 1})", bad);
    for (const char* place : {"/resources/In voices", "/resources/a", "/resources/b", "/scan_ms", "/limit"})
        BOOST_TEST(all.find("/server/stream" + std::string(place) + " ") != std::string::npos,
                   place << " is missing in " << all);
}

BOOST_AUTO_TEST_CASE(all_of_its_routes_are_described) {
    for (const auto& one : openapi_differences(openapi_json, api().routes()))
        BOOST_TEST(one.ends_with(" is described and does not exist"), one);  // here: other parts bring more
    path = "/openapi.json";
    BOOST_TEST(ask("").body == std::string(openapi_json));
    path = "/docs/errors";
    BOOST_TEST(ask("").body.find("410 position_expired") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_description_and_routes_that_differ_are_told) {
    http::router routes;
    const auto differences = [&] {
        return openapi_differences(
            R"({"paths": {"/a/{x}": {"parameters": [], "get": {}}, "/b": {"get": {"security": []}}}})",
            routes);
    };
    const auto add = [&](const char* method, const char* pattern, const char* access) {
        http::route r;
        r.method = method;
        r.pattern = pattern;
        r.access = access;
        routes.add(std::move(r));
    };
    add("GET", "/a/{x:number}", needs_read);
    add("GET", "/b", open_to_all);
    BOOST_TEST(differences().empty());
    add("PUT", "/a/{x:number}", needs_read);
    BOOST_REQUIRE(differences().size() == 1U);
    BOOST_TEST(differences().front() == "PUT /a/{x} is not described");
    routes = {};
    add("GET", "/b", needs_read);
    BOOST_REQUIRE(differences().size() == 2U);
    BOOST_TEST(differences().front() == "GET /b is described as open and is not");
    BOOST_TEST(differences().back() == "GET /a/{x} is described and does not exist");
}

BOOST_AUTO_TEST_SUITE_END()
