#include "stages/key_template.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using namespace firehose::stages;

constexpr std::int64_t march_2nd = 1'772'473'618'971;  // 2026-03-02T17:46:58.971Z

std::string fault_of(std::string_view text, packing how = packing::gzip) {
    return key_template::parse(text, how).fault;
}

key_template made(std::string_view text, packing how = packing::gzip) {
    auto parsed = key_template::parse(text, how);
    BOOST_REQUIRE_EQUAL(parsed.fault, "");
    return std::move(parsed.what);
}

/// The whole key of one event that is first and last.
std::string key_of(std::string_view text, std::string_view flow, const std::vector<std::string>& fields = {},
                   std::string_view prefix = "p", std::string_view id = "e1", std::int64_t at = march_2nd) {
    const auto t = made(text);
    const auto partition = t.partition({flow, at, fields});
    return key_template::with_prefix(t.finish(partition, {id, id, "00ff", 1}), prefix);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(key_templates)

BOOST_AUTO_TEST_CASE(the_default_is_by_prefix_flow_and_hour) {
    const auto text = key_template::default_text();
    BOOST_TEST(key_of(text, "f1") == "p/f1/2026/03/02/17/e1-e1-00ff.ndjson.gz");
    BOOST_TEST(key_of(text, "f1", {}, "") == "f1/2026/03/02/17/e1-e1-00ff.ndjson.gz");
    BOOST_TEST(key_of(text, "f1", {}, "/a/b/") == "a/b/f1/2026/03/02/17/e1-e1-00ff.ndjson.gz");
    BOOST_TEST(key_of(text, "", {}, "") == "_none/2026/03/02/17/e1-e1-00ff.ndjson.gz");
}

BOOST_AUTO_TEST_CASE(every_placeholder_is_filled_in) {
    const std::vector<std::string> fields{"src 9", "de"};
    BOOST_TEST(key_of("dt={yyyy}-{MM}-{dd}/h={HH}{mm}/{/vars/source/id}.{/c}/{count}_{first}-{last}.{ext}",
                      "f", fields) == "dt=2026-03-02/h=1746/src%209.de/1_e1-e1.ndjson.gz");
    BOOST_TEST(made("{/a}/{/b~1c}/{hash}.{ext}").pointers() == (std::vector<std::string>{"/a", "/b~1c"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_of_an_event_becomes_a_path) {
    const std::string_view text = "{flow}/{/f}/{first}-{last}.{ext}";
    for (const std::string evil : {"..", ".", "a/b", "/", "", "\x01\x02", "~", "%2F", "a\nb", "\xff"}) {
        const auto key = key_of(text, evil, {evil}, "", evil);
        BOOST_TEST(std::count(key.begin(), key.end(), '/') == 2, key);
        BOOST_TEST(key.find("..") == std::string::npos, key);
        for (const char c : key) BOOST_TEST((c > ' ' && c < 127), key);
    }
    // Different values never meet in one partition.
    BOOST_TEST(key_of(text, "a/b", {"c"}) != key_of(text, "a%2Fb", {"c"}));
}

BOOST_AUTO_TEST_CASE(no_component_is_too_long_for_a_file_system_and_none_loses_its_ending) {
    const std::string long_id(500, 'x');
    const auto key = key_of("{flow}-{/f}/{first}-{last}-{hash}.{ext}", std::string(190, 'f'),
                            {std::string(190, '/')}, "p", long_id);
    for (std::size_t at = 0; at < key.size();) {
        const auto end = std::min(key.find('/', at), key.size());
        BOOST_TEST(end - at <= 255);
        at = end + 1;
    }
    BOOST_TEST(key.ends_with(".ndjson.gz"));
    BOOST_TEST(key != key_of("{flow}-{/f}/{first}-{last}-{hash}.{ext}", std::string(190, 'f'),
                             {std::string(190, '/') + "x"}, "p", long_id));
}

BOOST_AUTO_TEST_CASE(events_beyond_the_limit_share_one_partition) {
    const auto t = made("{prefix}/{flow}/{/f}/{yyyy}/{HH}/{hash}.{ext}");
    const auto key = t.finish(t.overflow_partition(), {"a", "b", "00ff", 2});
    BOOST_TEST(key_template::with_prefix(key, "") == "_overflow/_overflow/0000/00/00ff.ndjson.gz");
}

BOOST_AUTO_TEST_CASE(faults_say_what_to_do) {
    const std::vector<std::pair<std::string, std::string>> faults{
        {"", "empty"},
        {"{yyyy}/x.ndjson.gz", "{hash}"},
        {"{first}.ndjson.gz", "{first} and {last}"},
        {"{hsah}.{ext}", "did you mean {hash}?"},
        {"{wat_is_this}.{ext}", "JSON Pointers"},
        {"{hash", "without its }"},
        {"hash}.{ext}", "without its {"},
        {"a b/{hash}.{ext}", "ASCII"},
        {"/{hash}.{ext}", "slash"},
        {"a//{hash}.{ext}", "empty part"},
        {"a/../{hash}.{ext}", "dots"},
        {"{hash}.{ext}/", "slash"},
        {"a/{prefix}/{hash}.{ext}", "beginning"},
        {"{prefix}{hash}.{ext}", "slash behind {prefix}"},
        {"{hash}.ndjson", ".gz"},
        {"{hash}.ndjson.zst", "ndjson.gz"},
        {"{/1}{/2}{/3}{/4}{/5}{/6}{/7}{/8}{/9}{hash}.{ext}", "8"},
        {std::string(513, 'a') + "{hash}.{ext}", "512"},
    };
    for (const auto& [text, part] : faults) {
        const auto fault = fault_of(text);
        BOOST_TEST(fault.find(part) != std::string::npos, text + ": " + fault);
    }
    BOOST_TEST(fault_of("{hash}.ndjson.zst", packing::zstd) == "");
    BOOST_TEST(fault_of("{hash}.{ext}", packing::none) == "");
    BOOST_TEST(fault_of("{hash}", packing::none) == "");
    BOOST_TEST(fault_of("{hash}.gz", packing::none) != "");
}

BOOST_AUTO_TEST_CASE(times_are_read_in_the_forms_events_have) {
    BOOST_TEST(parse_event_time("2026-03-02T17:46:58.971Z").value() == march_2nd);
    BOOST_TEST(parse_event_time("2026-03-02T18:46:58.971+01:00").value() == march_2nd);
    BOOST_TEST(parse_event_time("2026-03-02T17:46:58.971234Z").value() == march_2nd);
    BOOST_TEST(parse_event_time("2026-03-02 17:46:58Z").value() == march_2nd - 971);
    BOOST_TEST(parse_event_time("1772473618971").value() == march_2nd);
    BOOST_TEST(parse_event_time("1772473618").value() == march_2nd - 971);
    for (const auto* text :
         {"", "yesterday", "2026-03-02", "2026-02-30T00:00:00Z", "2026-03-02T24:00:00Z", "-5",
          "2026-03-02T17:46:58", "2026-03-02T17:46:58+1:00", "99999999999999999999", "0000-01-01T00:00:00Z"})
        BOOST_TEST(!parse_event_time(text), text);
    BOOST_TEST(!event_time_of(1LL << 60));
}

BOOST_AUTO_TEST_SUITE_END()
