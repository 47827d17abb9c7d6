#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct config_fixture {
    configured file{};

    loaded good(std::string_view text, const override_list& overrides = {}) {
        auto out = file.load(text, overrides);
        BOOST_TEST(pointers_of(out.faults) == "");
        for (const auto& f : out.faults) BOOST_TEST_MESSAGE(f.pointer << ": " << f.message);
        return out;
    }
    /// What is said about `pointer`, which must be the one fault.
    std::string only_fault(std::string_view text, std::string_view pointer,
                           const override_list& overrides = {}) {
        const auto out = file.load(text, overrides);
        BOOST_TEST(pointers_of(out.faults) == pointer, text);
        return message_at(out.faults, pointer);
    }
};

constexpr std::string_view to_out =
    R"({"default":{"enabled":true,"services":{"local":{"type":"directory","enabled":true,"bucket":"out"}}}})";

BOOST_FIXTURE_TEST_SUITE(config, config_fixture)

BOOST_AUTO_TEST_CASE(what_is_not_said_has_the_documented_value) {
    const auto out = good(to_out);
    BOOST_TEST(out.warnings.empty());
    BOOST_TEST(out.what.base_directory == file.directory());
    BOOST_TEST(out.what.data_dir == file.directory() / "data");
    BOOST_TEST(out.what.max_event_bytes == 16U << 20);
    BOOST_TEST(out.what.delivery.in_flight == 64U);
    BOOST_TEST(out.what.delivery.attempts == 3U);
    BOOST_TEST((out.what.shape.without_id == stages::missing_id::hash));
    BOOST_TEST(out.what.shape.id.front() == "/id");
    BOOST_TEST(out.what.shape.group.front() == "/vars/lead/id");
    BOOST_TEST(out.what.inputs.empty());
    BOOST_REQUIRE(out.what.services.size() == 1U);
    BOOST_TEST(out.what.services[0] == "local");
    const auto& to = out.what.routing.otherwise->at(0).to;
    BOOST_TEST(to.service == "local");
    BOOST_TEST(to.type == "directory");
    BOOST_TEST(to.bucket == "out");
}

BOOST_AUTO_TEST_CASE(every_key_is_read) {
    const auto out = good(R"({
        "data_dir": "d",
        "credentials": {
            "507f1f77bcf86cd799439011": {"type":"user","name":"n","package":"firehose","username":"U","password":"P","session_token":"S",
                  "endpoint":"http://127.0.0.1:9","region":"eu-west-1","ca_file":"ca.pem"},
            "507f1f77bcf86cd799439012": {"access_key_id":"K","secret_access_key":"Q"},
            "t": {"type":"token","token":"T"},
            "c": {"connection_string":"C"}},
        "flows": {"f1": {"name":"first","firehose":{"enabled":true,"credential_id":"507f1f77bcf86cd799439011","bucket":"legacy-bucket","prefix":"/p/"}},
                  "f2": {"firehose":{"enabled":false,"services":{}}}},
        "default": {"enabled":true,"services":{"aws":{"enabled":true,"credential_id":"507f1f77bcf86cd799439012","bucket":"my-bucket"},
                                               "two":{"enabled":true,"type":"directory","bucket":"a/b","prefix":"x/y"}}},
        "event": {"id":["/a","/b"],"group":null,"flow":"/channel","timestamp":"/time","missing_id":"dead_letter","max_bytes":1000},
        "delivery": {"layout":"event","in_flight":2,"queue_bytes":4096,"attempts":4,"backoff_ms":5,"backoff_cap_ms":6,
                     "timeout_ms":7,"connect_timeout_ms":8,"tls_timeout_ms":9,"first_byte_timeout_ms":10,
                     "progress_timeout_ms":11,"breaker_failures":12,"breaker_cap_ms":13,"retry_backoff_ms":14,
                     "retry_backoff_cap_ms":15,"park_after_attempts":16},
        "spool": {"type":"directory"},
        "sources": [{"type":"file","path":"in.ndjson"},{"type":"file","path":"-"}],
        "server": {"development": true}
    })");
    const auto& c = out.what;
    BOOST_TEST(c.data_dir == file.directory() / "d");
    const auto& u = c.credentials.at("507f1f77bcf86cd799439011");
    BOOST_TEST(u.id == "507f1f77bcf86cd799439011");
    BOOST_TEST(u.type == "user");
    BOOST_TEST(u.username == "U");
    BOOST_TEST(u.password.reveal() == "P");
    BOOST_TEST(u.session_token.reveal() == "S");
    BOOST_TEST(u.endpoint == "http://127.0.0.1:9");
    BOOST_TEST(u.region == "eu-west-1");
    BOOST_TEST(u.ca_file == (file.directory() / "ca.pem").string());
    BOOST_TEST(c.credentials.at("507f1f77bcf86cd799439012").type == "user");
    BOOST_TEST(c.credentials.at("507f1f77bcf86cd799439012").username == "K");
    BOOST_TEST(c.credentials.at("507f1f77bcf86cd799439012").password.reveal() == "Q");
    BOOST_TEST(c.credentials.at("t").token.reveal() == "T");
    BOOST_TEST(c.credentials.at("c").type == "token");
    BOOST_TEST(c.credentials.at("c").token.reveal() == "C");

    const auto& legacy = c.routing.flows.at("f1")->at(0).to;
    BOOST_TEST(legacy.service == "aws");
    BOOST_TEST(legacy.type == "s3");
    BOOST_TEST(legacy.bucket == "legacy-bucket");
    BOOST_TEST(legacy.prefix == "p");
    BOOST_TEST(legacy.credential_id == u.id);
    BOOST_TEST(c.routing.flows.at("f2")->empty());
    BOOST_TEST(c.routing.otherwise->size() == 2U);
    BOOST_TEST(c.services.size() == 2U);

    BOOST_TEST(c.shape.id.size() == 2U);
    BOOST_TEST(c.shape.id[1] == "/b");
    BOOST_TEST(c.shape.group.empty());
    BOOST_TEST(c.shape.flow.at(0) == "/channel");
    BOOST_TEST((c.shape.without_id == stages::missing_id::dead_letter));
    BOOST_TEST(c.max_event_bytes == 1000U);

    BOOST_TEST(c.delivery.in_flight == 2U);
    BOOST_TEST(c.delivery.queue_bytes == 4096U);
    BOOST_TEST(c.delivery.attempts == 4U);
    BOOST_TEST((c.delivery.backoff == 5ms));
    BOOST_TEST((c.delivery.backoff_cap == 6ms));
    BOOST_TEST((c.delivery.timeout == 7ms));
    BOOST_TEST((c.http.wait.whole == 7ms));
    BOOST_TEST((c.http.wait.connect == 8ms));
    BOOST_TEST((c.http.wait.tls == 9ms));
    BOOST_TEST((c.http.wait.first_byte == 10ms));
    BOOST_TEST((c.http.wait.progress == 11ms));
    BOOST_TEST(c.delivery.gate.failures == 12U);
    BOOST_TEST((c.delivery.gate.cap == 13ms));
    BOOST_TEST((c.delivery.spool_backoff == 14ms));
    BOOST_TEST((c.delivery.spool_backoff_cap == 15ms));
    BOOST_TEST(c.delivery.park_after_attempts == 16U);

    BOOST_REQUIRE(c.inputs.size() == 2U);
    BOOST_TEST(c.inputs[0] == (file.directory() / "in.ndjson").string());
    BOOST_TEST(c.inputs[1] == "-");
}

BOOST_AUTO_TEST_CASE(comments_and_trailing_commas) {
    const auto out = good("{ // one\n \"data_dir\": /* two */ \"x\",\n \"sources\": [],\n}");
    BOOST_TEST(out.what.data_dir == file.directory() / "x");
}

BOOST_AUTO_TEST_CASE(an_absolute_path_stays) {
    BOOST_TEST(good(R"({"data_dir":"/somewhere/else"})").what.data_dir == "/somewhere/else");
}

BOOST_AUTO_TEST_CASE(null_is_absent) {
    const auto out = good(
        R"({"data_dir":null,"credentials":null,"flows":null,"event":null,"delivery":{"attempts":null}})");
    BOOST_TEST(out.what.data_dir == file.directory() / "data");
    BOOST_TEST(out.what.delivery.attempts == 3U);
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_placed_by_line_and_column) {
    BOOST_TEST(contains(only_fault("{\n  \"a\": 1\n  \"b\"", ""), "line 3, column 3"));
    BOOST_TEST(contains(only_fault("", ""), "not JSON"));
    BOOST_TEST(contains(only_fault("{} {}", ""), "not JSON"));
    BOOST_TEST(contains(only_fault("{\"a\": \"\xff\"}", ""), "not JSON"));
    BOOST_TEST(contains(only_fault("[]", ""), "object"));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read) {
    const auto stores = storage::default_registry();
    for (const auto& path : {file.directory() / "absent.json", file.directory()}) {
        const auto out = load_configuration(path, {}, stores);
        BOOST_REQUIRE(out.faults.size() == 1U);
        BOOST_TEST(to_text(path, out.faults[0]) == path.string() + ": cannot be read");
    }
}

BOOST_AUTO_TEST_CASE(unknown_keys_name_the_nearest) {
    BOOST_TEST(contains(only_fault(R"({"data_dri":"x"})", "/data_dri"), "\"data_dir\""));
    BOOST_TEST(
        contains(only_fault(R"({"delivery":{"in_fligth":1}})", "/delivery/in_fligth"), "\"in_flight\""));
    BOOST_TEST(contains(only_fault(R"({"event":{"grop":1}})", "/event/grop"), "\"group\""));
    BOOST_TEST(contains(only_fault(R"({"spool":{"typ":1}})", "/spool/typ"), "\"type\""));
    BOOST_TEST(contains(
        only_fault(R"({"flows":{"f":{"firehose":{"enabled":false},"nam":1}}})", "/flows/f/nam"), "\"name\""));
    BOOST_TEST(contains(only_fault(R"({"sources":[{"type":"file","path":"x","pth":1}]})", "/sources/0/pth"),
                        "\"path\""));
    BOOST_TEST(
        contains(only_fault(R"({"credentials":{"c":{"type":"user","usernam":1}}})", "/credentials/c/usernam"),
                 "\"username\""));
    // Nothing is near: all are named.
    BOOST_TEST(contains(only_fault(R"({"zzzzzzzzzzzz":1})", "/zzzzzzzzzzzz"), "data_dir"));
}

BOOST_AUTO_TEST_CASE(pointers_escape_slash_and_tilde) {
    only_fault(R"({"credentials":{"a/b~c":{"type":"nobody"}}})", "/credentials/a~1b~0c/type");
    only_fault(R"({"a/b~c":1})", "/a~1b~0c");
}

BOOST_AUTO_TEST_CASE(wrong_types_and_ranges) {
    struct {
        std::string_view text, pointer, word;
    } const cases[] = {
        {R"({"data_dir":1})", "/data_dir", "string"},
        {R"({"credentials":[]})", "/credentials", "object"},
        {R"({"credentials":{"c":1}})", "/credentials/c", "object"},
        {R"({"credentials":{"c":{}}})", "/credentials/c/type", "\"user\""},
        {R"({"credentials":{"c":{"type":"user","username":1}}})", "/credentials/c/username", "string"},
        {R"({"flows":1})", "/flows", "object"},
        {R"({"flows":{"f":1}})", "/flows/f", "object"},
        {R"({"flows":{"f":{}}})", "/flows/f/firehose", "required"},
        {R"({"default":1})", "/default", "object"},
        {R"({"event":{"id":"x"}})", "/event/id", "JSON Pointer"},
        {R"({"event":{"id":["/a",1]}})", "/event/id", "JSON Pointer"},
        {R"({"event":{"missing_id":"x"}})", "/event/missing_id", "dead_letter"},
        {R"({"event":{"check":"x"}})", "/event/check", "fields"},
        {R"({"run":{"shards":1025}})", "/run/shards", "1024"},
        {R"({"run":{"shard":1}})", "/run/shard", "shards"},
        {R"({"event":{"max_bytes":0}})", "/event/max_bytes", "from 1"},
        {R"({"event":{"max_bytes":1073741825}})", "/event/max_bytes", "to 1073741824"},
        {R"({"delivery":{"layout":"rows"}})", "/delivery/layout", "\"batch\""},
        {R"({"delivery":{"batch":{}}})", "/delivery/batch", "layout"},
        {R"({"delivery":{"layout":"batch","batch":1}})", "/delivery/batch", "object"},
        {R"({"delivery":{"layout":"batch","batch":{"fromat":"gzip"}}})", "/delivery/batch/fromat", "format"},
        {R"({"delivery":{"layout":"batch","batch":{"format":"lz4"}}})", "/delivery/batch/format", "zstd"},
        {R"({"delivery":{"layout":"batch","batch":{"bytes":1}}})", "/delivery/batch/bytes", "1024"},
        {R"({"delivery":{"layout":"batch","batch":{"bytes":137438953473}}})", "/delivery/batch/bytes",
         "137438953472"},
        {R"({"delivery":{"layout":"batch","batch":{"count":0}}})", "/delivery/batch/count", "from 1"},
        {R"({"delivery":{"layout":"batch","batch":{"age_ms":-1}}})", "/delivery/batch/age_ms", "integer"},
        {R"({"delivery":{"layout":"batch","batch":{"key":"{yyyy}.{ext}"}}})", "/delivery/batch/key",
         "{hash}"},
        {R"({"delivery":{"layout":"batch","batch":{"time":"now"}}})", "/delivery/batch/time", "arrival"},
        {R"({"delivery":{"layout":"batch","batch":{"partitions":0}}})", "/delivery/batch/partitions",
         "from 1"},
        {R"({"delivery":{"layout":"batch","batch":{"memory":4194303}}})", "/delivery/batch/memory",
         "4194304"},
        {R"({"delivery":{"in_flight":4097}})", "/delivery/in_flight", "4096"},
        {R"({"delivery":{"in_flight":-1}})", "/delivery/in_flight", "integer"},
        {R"({"delivery":{"in_flight":1.0}})", "/delivery/in_flight", "integer"},
        {R"({"delivery":{"in_flight":"8"}})", "/delivery/in_flight", "integer"},
        {R"({"delivery":{"queue_bytes":1}})", "/delivery/queue_bytes", "1024"},
        {R"({"delivery":{"attempts":11}})", "/delivery/attempts", "10"},
        {R"({"delivery":{"timeout_ms":0}})", "/delivery/timeout_ms", "from 1"},
        {R"({"delivery":{"timeout_ms":86400001}})", "/delivery/timeout_ms", "86400000"},
        {R"({"delivery":{"breaker_failures":0}})", "/delivery/breaker_failures", "from 1"},
        {R"({"spool":{"type":"sns"}})", "/spool/type", "\"directory\" or \"sqs\""},
        {R"({"spool":{"type":"sqs"}})", "/spool/queue_url", "required"},
        {R"({"spool":{"type":"sqs","queue_url":"http://h/0/q"}})", "/spool/credential_id", "required"},
        {R"({"spool":{"type":"sqs","queue_url":"http://h/0/q","credential_id":"c"}})", "/spool/queue_url",
         "credential c does not exist"},
        {R"({"spool":1})", "/spool", "object"},
        {R"({"sources":{}})", "/sources", "array"},
        {R"({"sources":[1]})", "/sources/0", "object"},
        {R"({"sources":[{"type":"file","path":"a"},{"type":"file"}]})", "/sources/1/path", "required"},
        {R"({"sources":[{"type":"http"}]})", "/sources/0/type", "\"file\""},
        {R"({"server":1})", "/server", "object"},
    };
    for (const auto& c : cases) {
        const auto said = only_fault(c.text, c.pointer);
        BOOST_TEST(contains(said, c.word), c.text << " said: " << said);
    }
}

BOOST_AUTO_TEST_CASE(routing_is_checked_where_it_stands) {
    const auto service = [](std::string_view inside) {
        return R"({"credentials":{"c":{"type":"user","username":"U","password":"P"}},"default":{"enabled":true,"services":{"s":)" +
               std::string(inside) + "}}}";
    };
    struct {
        std::string_view inside, pointer, word;
    } const cases[] = {
        {R"({"type":"directory","bucket":"x"})", "/default/services/s/enabled", "required"},
        {R"({"type":"directory","enabled":1,"bucket":"x"})", "/default/services/s/enabled", "true or false"},
        {R"({"type":"directory","enabled":true})", "/default/services/s/bucket", "required"},
        {R"({"type":"directory","enabled":true,"bucket":"../x"})", "/default/services/s", "../x"},
        {R"({"type":"directory","enabled":true,"bucket":"/x"})", "/default/services/s", "/x"},
        {R"({"type":"nothing","enabled":true,"bucket":"x"})", "/default/services/s", "nothing"},
        {R"({"enabled":true,"bucket":"x"})", "/default/services/s", "\"type\""},
        {R"({"type":"s3","enabled":true,"bucket":"abc"})", "/default/services/s", "credential"},
        {R"({"type":"s3","enabled":true,"bucket":"abc","credential_id":"d"})", "/default/services/s",
         "does not exist"},
        {R"({"type":"s3","enabled":true,"bucket":"a_c","credential_id":"c"})", "/default/services/s", "a_c"},
        {R"({"type":"directory","enabled":true,"bucket":"x","bukket":"y"})", "/default/services/s/bukket",
         "\"bucket\""},
        {"7", "/default/services/s", "not an object"},
    };
    for (const auto& c : cases) {
        const auto said = only_fault(service(c.inside), c.pointer);
        BOOST_TEST(contains(said, c.word), c.inside << " said: " << said);
    }
    good(service(R"({"type":"s3","enabled":false,"bucket":"unfinished work"})"));
}

BOOST_AUTO_TEST_CASE(a_target_must_not_lie_where_the_spool_does) {
    const auto text = [](std::string_view data_dir, std::string_view bucket) {
        return R"({"data_dir":")" + std::string(data_dir) +
               R"(","default":{"enabled":true,"services":{"s":{"type":"directory","enabled":true,"bucket":")" +
               std::string(bucket) + R"("}}}})";
    };
    const auto absolute = (file.directory() / "abs").string();
    struct {
        std::string data_dir, bucket;
    } const wrong[] = {
        {"data", "data"},    {"data", "data/spool"}, {"data", "data/x/y"},
        {"./data/", "data"}, {"out/data", "out"},    {".", "spool"},
        {".", "spool/x"},    {"x/../data", "data"},  {absolute, "abs/x"},
    };
    for (const auto& w : wrong)
        BOOST_TEST(contains(only_fault(text(w.data_dir, w.bucket), "/default/services/s"), "data_dir"),
                   w.data_dir << " " << w.bucket);
    good(text("data", "data2"));
    good(text("data", "out/data"));
    good(text(".", "out"));
    good(text("/elsewhere/data", "data"));
}

BOOST_AUTO_TEST_CASE(the_layout_batch_is_read_and_decides_what_is_asked_of_events) {
    const auto c = good(R"({"event":{"timestamp":"/t"},"delivery":{"layout":"batch","batch":{"format":"zstd",
        "bytes":2048,"count":7,"age_ms":0,"partitions":5,"memory":4194304,
        "key":"{prefix}/{/vars/source/id}/{yyyy}/{hash}.{ext}"}}})")
                       .what;
    BOOST_REQUIRE(c.batch.has_value());
    BOOST_TEST((c.batch->format == stages::packing::zstd));
    BOOST_TEST(c.batch->bytes == 2048);
    BOOST_TEST(c.batch->count == 7);
    BOOST_TEST(c.batch->age.count() == 0);
    BOOST_TEST(c.batch->partitions == 5);
    BOOST_TEST(c.batch->memory == 4u << 20);
    BOOST_TEST(c.delivery.queue_bytes == 1u << 20);
    BOOST_TEST(c.shape.timestamp == std::vector<std::string>{"/t"}, boost::test_tools::per_element());
    BOOST_TEST(c.shape.fields == std::vector<std::string>{"/vars/source/id"},
               boost::test_tools::per_element());
    BOOST_TEST(c.shape.group.empty());

    const auto defaults = good(R"({"delivery":{"layout":"batch"}})").what;
    BOOST_TEST(defaults.batch->bytes == 16u << 20);
    BOOST_TEST(defaults.batch->memory == 64u << 20);
    BOOST_TEST((defaults.batch->format == stages::packing::gzip));
    BOOST_TEST(defaults.shape.timestamp.size() == 2U);
    BOOST_TEST(!good("{}").what.batch.has_value());
    // Larger objects bring the memory they need, unless that is said.
    BOOST_TEST(good(R"({"delivery":{"layout":"batch","batch":{"bytes":33554432}}})").what.batch->memory ==
               128u << 20);
    const auto by_arrival = good(R"({"delivery":{"layout":"batch","batch":{"time":"arrival"}}})").what;
    BOOST_TEST(by_arrival.shape.timestamp.empty());
}

BOOST_AUTO_TEST_CASE(a_spool_in_a_queue) {
    const auto what = file.load(R"({"default":{"enabled":false},
        "credentials":{"c":{"type":"user","username":"AKIA","password":"x"}},
        "spool":{"type":"sqs","queue_url":"https://sqs.eu-west-1.amazonaws.com/1/q","credential_id":"c",
                 "message_bytes":262144,"dead_letter_queue_url":"https://sqs.eu-west-1.amazonaws.com/1/dead",
                 "visibility_seconds":90,"wait_seconds":20}})");
    BOOST_TEST(pointers_of(what.faults) == "");
    BOOST_REQUIRE(what.what.sqs.has_value());
    BOOST_TEST(what.what.sqs->queue_url == "https://sqs.eu-west-1.amazonaws.com/1/q");
    BOOST_TEST(what.what.sqs->dead_letter_queue_url == "https://sqs.eu-west-1.amazonaws.com/1/dead");
    BOOST_TEST(what.what.sqs->how.message_bytes == 262'144U);
    BOOST_TEST(what.what.sqs->how.visibility.count() == 90);
    BOOST_TEST(what.what.sqs->how.wait.count() == 20);
    BOOST_TEST(!file.load(R"({"default":{"enabled":false}})").what.sqs.has_value());
}

BOOST_AUTO_TEST_CASE(faults_are_found_all_at_once) {
    const auto out = file.load(
        R"({"data_dri":1,"spool":{"type":"sns"},"delivery":{"attempts":0,"layout":"x"},"sources":[1,2]})");
    BOOST_TEST(pointers_of(out.faults) ==
               "/data_dri /delivery/layout /delivery/attempts /spool/type /sources/0 /sources/1");
}

BOOST_AUTO_TEST_CASE(no_routing_is_a_warning) {
    BOOST_TEST(message_at(good("{}").warnings, "/default") != "");
    BOOST_TEST(good(R"({"flows":{"f":{"firehose":{"enabled":false,"services":{}}}}})").warnings.empty());
}

BOOST_AUTO_TEST_CASE(overrides_are_json_or_else_text) {
    const auto out = good(to_out, {{"/data_dir", "here"},
                                   {"/delivery/in_flight", "5"},
                                   {"/event/id", R"(["/a","/b"])"},
                                   {"/event/missing_id", "\"dead_letter\""},
                                   {"/default/services/local/bucket", "a=b c"}});
    BOOST_TEST(out.what.data_dir == file.directory() / "here");
    BOOST_TEST(out.what.delivery.in_flight == 5U);
    BOOST_TEST(out.what.shape.id.size() == 2U);
    BOOST_TEST((out.what.shape.without_id == stages::missing_id::dead_letter));
    BOOST_TEST(out.what.routing.otherwise->at(0).to.bucket == "a=b c");
}

BOOST_AUTO_TEST_CASE(later_overrides_win) {
    BOOST_TEST(good("{}", {{"/data_dir", "a"}, {"/data_dir", "b"}}).what.data_dir == file.directory() / "b");
}

BOOST_AUTO_TEST_CASE(overrides_reach_into_arrays_and_escaped_names) {
    const auto out = good(R"({"sources":[{"type":"file","path":"a"},{"type":"file","path":"b"}],
                              "flows":{"x/y~z":{"firehose":{"enabled":false,"services":{}}}}})",
                          {{"/sources/1/path", "c"}, {"/flows/x~1y~0z/name", "named"}});
    BOOST_TEST(out.what.inputs.at(0) == (file.directory() / "a").string());
    BOOST_TEST(out.what.inputs.at(1) == (file.directory() / "c").string());
    BOOST_TEST(out.what.routing.flows.count("x/y~z") == 1U);
}

BOOST_AUTO_TEST_CASE(overrides_make_objects_on_their_way) {
    const auto out = good("{}", {{"/default/enabled", "true"},
                                 {"/default/services/s/type", "directory"},
                                 {"/default/services/s/enabled", "true"},
                                 {"/default/services/s/bucket", "out"}});
    BOOST_TEST(out.what.routing.otherwise->size() == 1U);
}

BOOST_AUTO_TEST_CASE(overrides_that_lead_nowhere) {
    constexpr std::string_view text = R"({"data_dir":"d","sources":[{"type":"file","path":"a"}]})";
    for (const std::string pointer :
         {"/data_dir/x", "/sources/1/path", "/sources/-/path", "/sources/01x", "/sources//path"})
        BOOST_TEST(contains(only_fault(text, pointer, {{pointer, "1"}}), "--set"), pointer);
}

BOOST_AUTO_TEST_CASE(overrides_are_checked_like_the_file) {
    only_fault("{}", "/delivery/in_flight", {{"/delivery/in_flight", "many"}});
    only_fault("{}", "/nonsense", {{"/nonsense", "1"}});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
