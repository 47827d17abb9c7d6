#include "http/address_guard.hpp"

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include <array>

using namespace firehose;
using namespace firehose::http;
namespace ip = boost::asio::ip;

namespace {

ip::address at(const std::string& text) { return ip::make_address(text); }

/// A block as its registry has it, its ends, and the nearest public neighbours; "" where there is none.
struct block_row {
    const char* network;
    const char* first;
    const char* last;
    const char* before = "";
    const char* after = "";
};

const std::array blocks = {
    block_row{"0.0.0.0/8", "0.0.0.0", "0.255.255.255", "", "1.0.0.0"},
    block_row{"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
    block_row{"100.64.0.0/10", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
    block_row{"127.0.0.0/8", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
    block_row{"168.63.129.16/32", "168.63.129.16", "168.63.129.16", "168.63.129.15", "168.63.129.17"},
    block_row{"169.254.0.0/16", "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
    block_row{"172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
    block_row{"192.0.0.0/24", "192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
    block_row{"192.0.2.0/24", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
    block_row{"192.31.196.0/24", "192.31.196.0", "192.31.196.255", "192.31.195.255", "192.31.197.0"},
    block_row{"192.52.193.0/24", "192.52.193.0", "192.52.193.255", "192.52.192.255", "192.52.194.0"},
    block_row{"192.88.99.0/24", "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
    block_row{"192.168.0.0/16", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
    block_row{"192.175.48.0/24", "192.175.48.0", "192.175.48.255", "192.175.47.255", "192.175.49.0"},
    block_row{"198.18.0.0/15", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
    block_row{"198.51.100.0/24", "198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
    block_row{"203.0.113.0/24", "203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
    block_row{"224.0.0.0/4", "224.0.0.0", "239.255.255.255", "223.255.255.255", ""},
    block_row{"240.0.0.0/4", "240.0.0.0", "255.255.255.255"},

    block_row{"::/128", "::", "::"},
    block_row{"::1/128", "::1", "::1"},
    block_row{"::/96", "::2", "::ffff:ffff"},
    block_row{"64:ff9b:1::/48", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
    block_row{"100::/64", "100::", "100::ffff:ffff:ffff:ffff"},
    block_row{"100:0:0:1::/64", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"},
    block_row{"2001::/32", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff::", ""},
    block_row{"2001::/23", "2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "", "2001:200::"},
    block_row{"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
              "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    block_row{"2002::/16", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
              "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
    block_row{"2620:4f:8000::/48", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
              "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
    block_row{"3fff::/20", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
              "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
    block_row{"5f00::/16", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    block_row{"fc00::/7", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    block_row{"fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    block_row{"fec0::/10", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    block_row{"ff00::/8", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

authority site(std::string host, bool tls = true, std::uint16_t port = 443) {
    authority to;
    to.tls = tls;
    to.host = std::move(host);
    to.port = port;
    return to;
}

/// As it would come out of a connection string; not allowed when it is not even a URL.
bool lets_in(const address_guard& guard, const std::string& url) {
    const auto parsed = parse_endpoint(url);
    return parsed.has_value() && guard.check(parsed->to).has_value();
}

const std::array refused_spellings = {
    // this machine
    "https://localhost", "https://LOCALHOST", "https://localhost.", "https://a.localhost",
    "https://127.0.0.1", "https://127.0.0.1.", "https://127.1", "https://127.0.1", "https://127.0.0.1:443",
    "https://2130706433", "https://0x7f000001", "https://0x7F.0.0.1", "https://0x7f.1", "https://0177.0.0.1",
    "https://017700000001", "https://127.0.0.0x1", "https://127.0.0.01", "https://127.0.0.256", "https://0",
    "https://0.0.0.0", "https://0x", "https://0x7f000001.", "https://2130706433.", "https://%31%32%37.0.0.1",
    "https://127%2E0.0.1", "https://[::1]", "https://[0:0:0:0:0:0:0:1]", "https://[::]",
    "https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]", "https://[::127.0.0.1]",
    "https://[64:ff9b::127.0.0.1]", "https://[64:ff9b::7f00:1]", "https://[2002:7f00:1::]",
    "https://[2002:7f00:1::1]",
    // its neighbours
    "https://169.254.169.254", "https://[::ffff:169.254.169.254]", "https://[fd00:ec2::254]",
    "https://0xa9fea9fe", "https://2852039166", "https://0251.0376.0251.0376", "https://[fe80::1]",
    "https://[fe80::1%25eth0]", "https://[fe80::1%251]", "https://168.63.129.16", "https://100.100.100.200",
    "https://10.0.0.1", "https://192.168.1.1", "https://172.16.0.1", "https://172.31.255.255",
    "https://[64:ff9b::10.0.0.1]", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "https://[2002:a00:1::]",
    "https://[ff02::1]", "https://255.255.255.255", "https://224.0.0.1",
    // no plain https
    "http://example.com", "http://52.216.0.1", "https://example.com:80", "https://example.com:8443",
    "https://52.216.0.1:22", "ftp://example.com", "https://user@example.com", "https://user:key@127.0.0.1",
    "https://example.com@127.0.0.1", "https://example.com?x=https://127.0.0.1", "https://example.com#x",
    "https://", "https://127.0.0.1%00.example.com", "https://example.com%00", "https://exa%20mple.com",
    "https://example.com%0d%0aHost:%20x", "https://ex%C3%A4mple.com", "https://.", "https://%2e",
    "https://\xE2\x91\xA0\xE2\x91\xA1\xE2\x91\xA6.0.0.1",  // digits in circles
};

}  // namespace

BOOST_AUTO_TEST_SUITE(address_guards)

BOOST_AUTO_TEST_CASE(both_ends_of_every_block_are_special_and_their_neighbours_are_not) {
    for (const auto& row : blocks) {
        BOOST_TEST_CONTEXT(row.network) {
            for (const auto* inside : {row.first, row.last}) {
                const auto why = special_purpose(at(inside));
                BOOST_TEST(!why.empty(), inside);
                BOOST_TEST(why.find(row.network) != std::string::npos, inside << ": " << why);
                BOOST_TEST(!address_guard().problem(at(inside)).empty());
            }
            for (const std::string outside : {row.before, row.after})
                if (!outside.empty()) BOOST_TEST(special_purpose(at(outside)).empty(), outside);
        }
    }
}

BOOST_AUTO_TEST_CASE(public_addresses_are_fit) {
    for (const auto* text :
         {"1.1.1.1", "8.8.8.8", "52.216.1.2", "20.60.0.1", "223.255.255.255", "2600:1f00::1", "2a05:d000::1",
          "2620:1ec:c::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b::34d8:102"})
        BOOST_TEST(special_purpose(at(text)).empty(), text);
}

BOOST_AUTO_TEST_CASE(what_is_not_global_is_special_also_where_no_registry_names_it) {
    for (const auto* text : {"1::1", "64:ff9b:0:0:1::1", "200::1", "1fff:ffff::1", "4000::1", "8000::1",
                             "a000::1", "e000::1", "fe00::1", "::1:0:0:1", "::fffe:8.8.8.8"})
        BOOST_TEST(!special_purpose(at(text)).empty(), text);
}

BOOST_AUTO_TEST_CASE(an_address_inside_another_is_judged_like_itself) {
    for (const auto& row : blocks) {
        for (const std::string text : {row.first, row.last}) {
            if (at(text).is_v6()) continue;
            BOOST_TEST(!special_purpose(at("::ffff:" + text)).empty(), text);
            BOOST_TEST(!special_purpose(at("64:ff9b::" + text)).empty(), text);
        }
    }
}

BOOST_AUTO_TEST_CASE(spellings_of_places_that_are_not_public_are_refused_before_anything_is_looked_up) {
    const address_guard guard;
    for (const std::string url : refused_spellings) BOOST_TEST(!lets_in(guard, url), url);
}

BOOST_AUTO_TEST_CASE(names_and_plain_public_addresses_go_on) {
    const address_guard guard;
    for (const auto* url :
         {"https://s3.eu-central-1.amazonaws.com", "https://bucket-1.s3.us-east-1.amazonaws.com:443",
          "https://acme.blob.core.windows.net", "https://EXAMPLE.com.", "https://a_b.example",
          "https://52.216.0.1", "https://[2600:1f00::1]", "https://0x7f.example",
          "https://localhost.example"})
        BOOST_TEST(lets_in(guard, url), url);
}

BOOST_AUTO_TEST_CASE(one_unfit_address_among_good_ones_refuses_all) {
    const address_guard guard;
    const auto to = site("store.example");
    const std::vector<ip::address> good{at("52.216.1.2"), at("2600:1f00::1")};
    BOOST_TEST(guard.check(to, good).has_value());
    for (const auto* bad : {"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%3", "::ffff:10.0.0.1",
                            "64:ff9b::a00:1", "2002:7f00:1::", "224.0.0.1", "0.0.0.0"}) {
        for (const std::size_t place : {0U, 1U, 2U}) {
            auto mixed = good;
            mixed.insert(mixed.begin() + static_cast<std::ptrdiff_t>(place), at(bad));
            BOOST_TEST(!guard.check(to, mixed).has_value(), bad);
        }
    }
    BOOST_TEST(!guard.check(to, {}).has_value());
}

BOOST_AUTO_TEST_CASE(a_public_address_with_a_zone_is_of_one_link) {
    const auto scoped = ip::make_address("2600:1f00::1%1");
    BOOST_TEST(!address_guard().problem(scoped).empty());
}

BOOST_AUTO_TEST_CASE(development_is_for_this_machine_and_for_nothing_beyond) {
    address_guard guard;
    guard.development = true;
    for (const auto* url : {"http://127.0.0.1:10000", "http://localhost:9000", "https://[::1]:8443",
                            "http://127.255.255.254", "http://example.com", "https://example.com:9000"})
        BOOST_TEST(lets_in(guard, url), url);
    for (const auto* url :
         {"http://10.0.0.1", "https://169.254.169.254", "http://192.168.0.1", "https://0.0.0.0",
          "https://[fe80::1]", "http://2130706433", "http://127.1", "http://[fd00:ec2::254]"})
        BOOST_TEST(!lets_in(guard, url), url);
    const std::vector<ip::address> mixed{at("127.0.0.1"), at("10.0.0.1")};
    BOOST_TEST(!guard.check(site("store.example", false, 80), mixed).has_value());
}

BOOST_AUTO_TEST_CASE(networks_of_the_operator_are_fit) {
    address_guard guard;
    guard.networks = {*parse_network("10.20.0.0/16"), *parse_network("fd00:1::/32")};
    guard.ports = {443, 9000};
    for (const auto* url : {"https://10.20.0.1", "https://10.20.255.255:9000", "https://[fd00:1::1]",
                            "https://[::ffff:10.20.0.1]", "https://[64:ff9b::10.20.0.1]"})
        BOOST_TEST(lets_in(guard, url), url);
    for (const auto* url : {"https://10.19.255.255", "https://10.21.0.0", "https://[fd00:2::1]",
                            "https://127.0.0.1", "http://10.20.0.1", "https://10.20.0.1:9001"})
        BOOST_TEST(!lets_in(guard, url), url);
}

BOOST_AUTO_TEST_CASE(the_other_end_must_be_what_was_dialled) {
    const address_guard guard;
    const auto to = site("store.example");
    BOOST_TEST(guard.check_peer(to, at("52.216.1.2"), at("52.216.1.2")).has_value());
    BOOST_TEST(!guard.check_peer(to, at("52.216.1.2"), at("52.216.1.3")).has_value());
    BOOST_TEST(!guard.check_peer(to, at("52.216.1.2"), at("127.0.0.1")).has_value());
    BOOST_TEST(!guard.check_peer(to, at("127.0.0.1"), at("127.0.0.1")).has_value());
}

BOOST_AUTO_TEST_CASE(a_refusal_says_what_and_where_and_what_to_do) {
    const auto refused = address_guard().check(site("store.example"), std::vector{at("10.1.2.3")});
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().context() ==
               "https://store.example must not be connected to: it is at 10.1.2.3, which is private "
               "(10.0.0.0/8); use a public server, or allow the network in the configuration's guard");
    BOOST_TEST((refused.error().what() == disposition::stop));
    BOOST_TEST(refused.error().code() == boost::asio::error::access_denied);
}

BOOST_AUTO_TEST_CASE(networks_are_read_as_they_are_written) {
    BOOST_TEST(parse_network("10.0.0.0/8")->holds(at("10.255.0.1")));
    BOOST_TEST(!parse_network("10.0.0.0/8")->holds(at("::ffff:10.0.0.1")));
    BOOST_TEST(parse_network("10.1.2.3")->holds(at("10.1.2.3")));
    BOOST_TEST(!parse_network("10.1.2.3")->holds(at("10.1.2.2")));
    BOOST_TEST(parse_network("0.0.0.0/0")->holds(at("255.1.2.3")));
    BOOST_TEST(parse_network("::/0")->holds(at("ffff::")));
    BOOST_TEST(parse_network("fd00:1:2:3::/63").has_value() == false);
    BOOST_TEST(parse_network("fd00:1:2:2::/63")->holds(at("fd00:1:2:3::1")));
    for (const auto* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.1.0.0/8",
                             "10/8", "::1/129", "fe80::1%1", "example.com/8", "10.0.0.0/08/9"})
        BOOST_TEST(!parse_network(text), text);
}

BOOST_AUTO_TEST_SUITE_END()
