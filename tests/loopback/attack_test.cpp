// Every row of attacks.tsv on a connection of its own: what is answered, and whether the connection lives on.
#include "tests/loopback/server_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace firehose::loopback;

namespace {

struct attack {
    std::vector<int> statuses{};
    bool closes = false;
    std::string name{}, request{};
};

/// | is CR LF; \r \n \t \0 \\ \xNN are bytes; \R(text*count) repeats.
std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '|') {
            out += "\r\n";
        } else if (text[i] != '\\') {
            out += text[i];
        } else {
            const char kind = text.at(++i);
            if (kind == 'r') out += '\r';
            if (kind == 'n') out += '\n';
            if (kind == 't') out += '\t';
            if (kind == '0') out += '\0';
            if (kind == '\\') out += '\\';
            if (kind == 'x') {
                out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
                i += 2;
            }
            if (kind == 'R') {
                const auto end = text.find(')', i);
                const auto star = text.rfind('*', end);
                const auto piece = unescape(text.substr(i + 2, star - i - 2));
                const auto count = std::stoul(std::string(text.substr(star + 1, end - star - 1)));
                for (std::size_t n = 0; n < count; ++n) out += piece;
                i = end;
            }
        }
    }
    return out;
}

std::vector<attack> read_attacks() {
    std::ifstream file(FIREHOSE_ATTACKS);
    std::vector<attack> out;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') continue;
        std::istringstream fields(line);
        std::string expected, request;
        attack a;
        std::getline(fields, expected, '\t');
        std::getline(fields, a.name, '\t');
        std::getline(fields, request);
        std::istringstream words(expected);
        for (std::string word; words >> word;) {
            if (word == "close")
                a.closes = true;
            else if (word != "open")
                a.statuses.push_back(std::stoi(word));
        }
        a.request = unescape(request);
        out.push_back(std::move(a));
    }
    return out;
}

std::string text_of(const std::vector<int>& statuses) {
    std::string out;
    for (const int s : statuses) out += std::to_string(s) + " ";
    return out;
}

/// What is wrong; empty when all is as it should be.
std::string try_attack(std::uint16_t port, const attack& a) {
    raw_client client(port);
    client.send(a.request);
    std::vector<int> got;
    bool head_only = a.request.starts_with("HEAD ");
    while (got.size() < a.statuses.size()) {
        const auto one = client.answer(head_only);
        if (!one) break;
        got.push_back(one->status);
        head_only = false;
    }
    if (got != a.statuses) return "answered " + text_of(got) + "instead of " + text_of(a.statuses);
    if (a.closes) return client.closed() ? "" : "something came after the answers, or no close";
    client.send("GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto probe = client.answer();
    return probe && probe->status == 200 && probe->body == "ok" ? "" : "the connection does not live on";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_server)

BOOST_AUTO_TEST_CASE(the_attack_corpus) {
    auto how = server_rig::quick();
    how.wait.linger = std::chrono::milliseconds(300);
    server_rig rig(how);
    const auto attacks = read_attacks();
    std::size_t failures = 0;
    for (const auto& a : attacks) {
        std::string problem;
        try {
            problem = try_attack(rig.port(), a);
        } catch (const std::exception& e) {
            problem = e.what();
        }
        failures += problem.empty() ? 0 : 1;
        BOOST_TEST(problem.empty(), a.name << ": " << problem);
    }
    std::printf("attack corpus: %zu rows, %zu failed\n", attacks.size(), failures);
    BOOST_TEST(attacks.size() >= 150U);
}

BOOST_AUTO_TEST_SUITE_END()
