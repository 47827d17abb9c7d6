#include "stages/event_reader.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/sha.h>

#include <array>
#include <memory>
#include <string>

namespace {

using namespace firehose;
using namespace std::string_literals;
using stages::event_reader;
using stages::event_reading;
using stages::event_shape;

/// One line with exactly the padding the reader may touch, and poison in it.
struct line {
    explicit line(std::string_view text) : size(text.size()), memory(new char[size + event_reader::padding]) {
        std::copy(text.begin(), text.end(), memory.get());
        std::fill_n(memory.get() + size, event_reader::padding, '"');
    }
    bytes_view view() const { return as_bytes({memory.get(), size}); }
    std::size_t size;
    std::unique_ptr<char[]> memory;
};

struct read_line {
    std::string refused{};
    event_reading reading{};
};

/// What is JSON must read the same, however much of it is checked.
void check_that_fields_say_the_same(std::string_view text, event_shape shape, const event_reading& full) {
    shape.check = stages::event_check::fields;
    event_reader reader(std::move(shape));
    const line padded(text);
    event_reading got;
    BOOST_TEST_CONTEXT("only fields of " << text.substr(0, 200)) {
        BOOST_TEST(reader.read(padded.view(), got) == "");
        BOOST_TEST(got.what.id == full.what.id);
        BOOST_TEST(got.what.group == full.what.group);
        BOOST_TEST(got.what.flow == full.what.flow);
        BOOST_TEST(got.what.problem == full.what.problem);
        BOOST_TEST((got.what.at_ms == full.what.at_ms));
        BOOST_TEST(got.what.fields == full.what.fields, boost::test_tools::per_element());
        BOOST_TEST(got.routing.has_value() == full.routing.has_value());
        if (got.routing && full.routing) BOOST_TEST(got.routing->text == full.routing->text);
    }
}

read_line read(std::string_view text, event_shape shape = {}) {
    event_reader reader(shape);
    const line padded(text);
    read_line got;
    got.refused = reader.read(padded.view(), got.reading);
    if (got.refused.empty()) {
        BOOST_TEST((got.reading.what.raw.data() == padded.view().data()));
        BOOST_TEST(got.reading.what.raw.size() == text.size());
        check_that_fields_say_the_same(text, std::move(shape), got.reading);
    }
    got.reading.what.raw = {};
    return got;
}

/// Fails when the line was refused or cannot have a key.
stages::event accepted(std::string_view text, event_shape shape = {}) {
    auto got = read(text, std::move(shape));
    BOOST_TEST(got.refused == "");
    BOOST_TEST(got.reading.what.problem == "");
    return got.reading.what;
}

std::string problem_of(std::string_view text, event_shape shape = {}) {
    auto got = read(text, std::move(shape));
    BOOST_TEST(got.refused == "");
    BOOST_TEST(!got.reading.what.id.empty());
    return got.reading.what.problem;
}

std::string first_32_of_sha256(std::string_view text) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    std::string hex;
    for (int i = 0; i < 16; ++i) {
        hex += "0123456789abcdef"[digest[static_cast<std::size_t>(i)] >> 4];
        hex += "0123456789abcdef"[digest[static_cast<std::size_t>(i)] & 15];
    }
    return hex;
}

bool contains(const std::string& text, std::string_view what) { return text.find(what) != text.npos; }

/// Makes simdjson give up, so that the second parser has to read the line.
const std::string beyond = R"("beyond_64_bits":123456789012345678901234567890,)";

}  // namespace

BOOST_AUTO_TEST_SUITE(reading_events)

BOOST_AUTO_TEST_CASE(identity_of_a_leadconduit_event) {
    const auto e = accepted(R"({"id":"e1","vars":{"lead":{"id":"l1"},"flow":{"id":"f1"}}})");
    BOOST_TEST(e.id == "e1");
    BOOST_TEST(e.group == "l1");
    BOOST_TEST(e.flow == "f1");
}

BOOST_AUTO_TEST_CASE(identity_of_an_event_stream_item) {
    const auto e = accepted(R"({"data":{"id":527366},"meta":{"event_id":"o4vLQU2KTaKbK2df8gWzRA"}})");
    BOOST_TEST(e.id == "o4vLQU2KTaKbK2df8gWzRA");
    BOOST_TEST(e.group == "527366");
    BOOST_TEST(e.flow == "");
}

BOOST_AUTO_TEST_CASE(the_first_pointer_that_holds_something_wins) {
    const auto shape = event_shape{};
    const std::string both =
        R"({"meta":{"event_id":"m"},"data":{"id":"d"},"id":ID,"vars":{"lead":{"id":GROUP}}})";
    const auto with = [&](std::string id, std::string group) {
        auto text = both;
        text.replace(text.find("ID"), 2, id);
        text.replace(text.find("GROUP"), 5, group);
        return accepted(text, shape);
    };
    BOOST_TEST(with("\"i\"", "\"g\"").id == "i");
    BOOST_TEST(with("\"i\"", "\"g\"").group == "g");
    for (const char* absent : {"null", "\"\""}) {
        BOOST_TEST(with(absent, absent).id == "m");
        BOOST_TEST(with(absent, absent).group == "d");
    }
}

BOOST_AUTO_TEST_CASE(pointers_of_ones_own_with_escapes_and_indices) {
    event_shape shape;
    shape.id = {"/a~1b/1"};
    shape.group = {"/til~0de"};
    shape.flow = {"/channel"};
    const std::string members = R"("a/b":[0,"second"],"til~de":7,"channel":"#en")";
    for (const auto& text : {"{" + members + "}", "{" + beyond + members + "}"}) {
        const auto e = accepted(text, shape);
        BOOST_TEST(e.id == "second");
        BOOST_TEST(e.group == "7");
        BOOST_TEST(e.flow == "#en");
    }
}

BOOST_AUTO_TEST_CASE(integers_are_written_as_digits) {
    for (const auto& extra : {""s, beyond}) {
        const auto with = [&](std::string id) {
            return accepted("{" + extra + R"("id":)" + id + R"(,"data":{"id":1}})").id;
        };
        BOOST_TEST(with("0") == "0");
        BOOST_TEST(with("-5") == "-5");
        BOOST_TEST(with("9223372036854775807") == "9223372036854775807");
        BOOST_TEST(with("-9223372036854775808") == "-9223372036854775808");
        BOOST_TEST(with("18446744073709551615") == "18446744073709551615");
    }
}

BOOST_AUTO_TEST_CASE(text_is_unescaped) {
    for (const auto& extra : {""s, beyond}) {
        const auto e = accepted("{" + extra + R"("id":"a\/\u00e9\n\u0000","data":{"id":"\ud83d\ude00"}})");
        BOOST_TEST(e.id == "a/\u00e9\n\0"s);
        BOOST_TEST(e.group == "\U0001F600");
    }
}

BOOST_AUTO_TEST_CASE(an_identity_of_a_wrong_type_parks_the_event_and_says_where) {
    for (const auto& extra : {""s, beyond}) {
        for (const char* wrong : {"true", "1.5", "[]", "[\"x\"]", "{}"}) {
            const auto value = std::string(wrong);
            auto problem = problem_of("{" + extra + R"("id":)" + value + R"(,"data":{"id":1}})");
            BOOST_TEST(contains(problem, "/id is a"), problem);
            problem = problem_of("{" + extra + R"("id":1,"data":{"id":)" + value + "}}");
            BOOST_TEST(contains(problem, "/data/id is a"), problem);
        }
    }
}

BOOST_AUTO_TEST_CASE(an_id_beyond_64_bits_is_parked_not_rounded) {
    const auto problem = problem_of(R"({"id":123456789012345678901234567890,"data":{"id":1}})");
    BOOST_TEST(contains(problem, "/id"), problem);
}

BOOST_AUTO_TEST_CASE(a_flow_of_a_wrong_type_is_no_flow) {
    const auto e = accepted(R"({"id":"e","vars":{"lead":{"id":"l"},"flow":{"id":[1]}}})");
    BOOST_TEST(e.flow == "");
}

BOOST_AUTO_TEST_CASE(without_an_id_the_bytes_give_one) {
    for (const auto& text : {R"({"data":{"id":1}})"s, R"({"data":{"id":1}, "id":null})"s,
                             R"({"id":"","data":{"id":1}})"s, "{" + beyond + R"("data":{"id":1}})"}) {
        BOOST_TEST(accepted(text).id == first_32_of_sha256(text));
        BOOST_TEST(accepted(text).id == accepted(text).id);
    }
}

BOOST_AUTO_TEST_CASE(without_an_id_the_event_is_a_dead_letter_where_that_is_asked_for) {
    event_shape shape;
    shape.without_id = stages::missing_id::dead_letter;
    const auto text = R"({"data":{"id":1}})"s;
    const auto got = read(text, shape);
    BOOST_TEST(got.refused == "");
    BOOST_TEST(got.reading.what.problem == "no id at /id or /meta/event_id");
    BOOST_TEST(got.reading.what.id == first_32_of_sha256(text));  // a dead letter needs a name too
    BOOST_TEST(accepted(R"({"id":"x","data":{"id":1}})", shape).id == "x");
}

BOOST_AUTO_TEST_CASE(without_a_group_the_event_is_parked_and_no_key_invented) {
    for (const char* text : {R"({"id":"e"})", R"({"id":"e","vars":{}})", R"({"id":"e","vars":7})",
                             R"({"id":"e","vars":{"lead":{"id":null}}})", R"({"id":"e","data":{"id":""}})"}) {
        BOOST_TEST(problem_of(text) == "no group id at /vars/lead/id or /data/id");
    }
}

BOOST_AUTO_TEST_CASE(a_shape_without_group_needs_none) {
    event_shape shape;
    shape.group = {};
    const auto e = accepted(R"({"id":"e"})", shape);
    BOOST_TEST(e.group == "");
    BOOST_TEST(e.id == "e");
}

BOOST_AUTO_TEST_CASE(the_events_own_routing_comes_without_white_space) {
    for (const auto& extra : {""s, beyond}) {
        const auto got = read("{" + extra + R"("id":1, "firehose" : { "enabled" : true , "a":[1, "x y"]} })");
        BOOST_TEST(got.refused == "");
        BOOST_REQUIRE(got.reading.routing);
        BOOST_TEST(got.reading.routing->text == R"({"enabled":true,"a":[1,"x y"]})");
    }
}

BOOST_AUTO_TEST_CASE(absent_and_null_routing_is_none_and_any_other_kind_is_some) {
    BOOST_TEST(!read(R"({"id":1})").reading.routing);
    BOOST_TEST(!read(R"({"id":1,"firehose":null})").reading.routing);
    BOOST_TEST(!read(R"({"id":1,"vars":{"firehose":{}}})").reading.routing);
    for (const char* kind : {"{}", "[]", "5", "true", "false", "\"text\""}) {
        const auto got = read(R"({"id":1,"firehose":)"s + kind + "}");
        BOOST_REQUIRE(got.reading.routing);
        BOOST_TEST(got.reading.routing->text == kind);
    }
}

BOOST_AUTO_TEST_CASE(one_reading_leaves_nothing_behind_for_the_next) {
    event_reader reader{event_shape{}};
    event_reading out;
    const line first(R"({"id":"e","vars":{"lead":{"id":"l"},"flow":{"id":"f"}},"firehose":{}})");
    BOOST_TEST(reader.read(first.view(), out) == "");
    BOOST_TEST(out.routing.has_value());
    const line second(R"({"id":true})");
    BOOST_TEST(reader.read(second.view(), out) == "");
    BOOST_TEST(!out.routing);
    BOOST_TEST(out.what.flow == "");
    BOOST_TEST(out.what.group == "");
    BOOST_TEST(!out.what.problem.empty());
    BOOST_TEST(reader.read(first.view(), out) == "");
    BOOST_TEST(out.what.problem == "");
    BOOST_TEST(out.what.id == "e");
}

BOOST_AUTO_TEST_CASE(numbers_beyond_64_bits_are_json) {
    for (const char* number : {"123456789012345678901234567890", "-123456789012345678901234567890", "1e300",
                               "18446744073709551616", "-9223372036854775809"})
        BOOST_TEST(accepted(R"({"id":"e","data":{"id":1},"n":)"s + number + "}").id == "e", number);
}

BOOST_AUTO_TEST_CASE(what_is_no_object_is_refused) {
    for (const char* text : {"[]", "5", "null", "\"text\"", "true", "123456789012345678901234567890"})
        BOOST_TEST(read(text).refused == "not a JSON object", text);
    BOOST_TEST(read("{}").refused == "");
}

BOOST_AUTO_TEST_CASE(what_is_no_json_is_refused) {
    const std::string texts[] = {
        "",
        " ",
        "{",
        "}",
        "{\"a\":1",
        "{\"a\":1}}",
        "{\"a\":1} {}",
        "{\"a\":1}x",
        "{'a':1}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":tru}",
        "{\"a\" 1}",
        "// x\n{}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"unended}",
        "\0{}"s,
        "{}\0"s,
        "{\"a\":\"\0\"}"s,
        "{\"a\":\0}"s,
    };
    for (const auto& text : texts) {
        BOOST_TEST(contains(read(text).refused, "not JSON: "), text);
        if (text.find("{\"a\":") == 0) {
            const auto slow = "{" + beyond + text.substr(1);
            BOOST_TEST(contains(read(slow).refused, "not JSON: "), slow);
        }
    }
}

BOOST_AUTO_TEST_CASE(faults_beside_the_fields_pass_where_only_those_are_checked) {
    event_shape shape;
    shape.check = stages::event_check::fields;
    shape.timestamp = {"/at"};
    shape.fields = {"/state", "/ok", "/n"};
    event_reader reader(shape);
    event_reading out;
    const auto refused = [&](std::string_view text) {
        const line padded(text);
        return reader.read(padded.view(), out);
    };
    BOOST_TEST(
        refused(
            R"({"id":"i","vars":{"lead":{"id":"l"}},"rest":[1,,nonsense],"state":"x","ok":true,"n":7})") ==
        "");
    BOOST_TEST(out.what.id == "i");
    BOOST_TEST(out.what.group == "l");
    BOOST_TEST(out.what.fields == (std::vector<std::string>{"x", "true", "7"}),
               boost::test_tools::per_element());
    for (const auto* text : {R"({"id":"i","id)", R"({"id":)", R"({"id":i})", R"({"id":"i"} x)", R"(["id"])",
                             "{", "", "nonsense", R"({"id":"\x"})", "{\"id\":\"i\",\"x\":\"\xff\"}"})
        BOOST_TEST(refused(text) != "", text);
}

BOOST_AUTO_TEST_CASE(broken_utf8_and_lone_surrogates_are_refused) {
    for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
                            "\\ud800", "\\udc00", "\\ud800x", "\\ud800\\ud800", "\\udc00\\ud800"}) {
        for (const auto& extra : {""s, beyond}) {
            const auto value = "{" + extra + "\"id\":\"a" + bad + "\"}";
            BOOST_TEST(contains(read(value).refused, "not JSON: "), value);
            const auto name = "{" + extra + "\"" + bad + "\":1}";
            BOOST_TEST(contains(read(name).refused, "not JSON: "), name);
        }
    }
}

BOOST_AUTO_TEST_CASE(deep_nesting_is_bounded_and_costs_no_stack) {
    const auto nested = [](std::size_t depth, char open, char close) {
        return R"({"id":"e","data":{"id":1},"n":)" + std::string(depth, open) + std::string(depth, close) +
               "}";
    };
    BOOST_TEST(accepted(nested(400, '[', ']')).id == "e");
    for (const std::size_t depth : {10'000U, 1'000'000U}) {
        BOOST_TEST(contains(read(nested(depth, '[', ']')).refused, "not JSON: "));
        BOOST_TEST(contains(read(std::string(depth, '[')).refused, "not JSON: "));
        std::string objects;
        for (std::size_t i = 0; i < depth; ++i) objects += R"({"a":)";
        BOOST_TEST(contains(read(objects).refused, "not JSON: "));
    }
    // Where the two parsers meet: neither may run out of stack, whatever they decide.
    for (std::size_t depth = 500; depth < 1100; depth += 7) {
        const auto deep = std::string(depth, '[') + std::string(depth, ']');
        static_cast<void>(read("{\"firehose\":" + deep + "}"));
        static_cast<void>(read("{" + beyond + "\"firehose\":" + deep + "}"));
    }
}

BOOST_AUTO_TEST_CASE(a_refusal_names_the_byte_and_quotes_nothing) {
    const auto at = [](std::string_view text, std::size_t byte) {
        const auto refused = read(text).refused;
        BOOST_TEST(contains(refused, " at byte " + std::to_string(byte) + " of the line"),
                   text << " -> " << refused);
    };
    at(R"({"a":tru})", 6);
    at(R"({"secret":"hunter2",})", 21);
    at(R"({"a":1}x)", 8);
    at("x", 1);
    const std::string canary = "hunter2";
    for (const auto& text : {"{\"" + canary, canary, "{\"a\":" + canary + "}",
                             "{\"a\":\"" + canary + "\\x\"}", "{\"a\":1}" + canary, "[\"" + canary + "\"]"})
        BOOST_TEST(!contains(read(text).refused, canary), text);
    for (const auto& text : {R"({"id":["hunter2"],"data":{"id":1}})"s,
                             R"({"id":1,"data":{"id":["hunter2"]}})"s, R"({"id":1,"data":"hunter2"})"s})
        BOOST_TEST(!contains(problem_of(text), canary), text);
}

BOOST_AUTO_TEST_SUITE_END()
