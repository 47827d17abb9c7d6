// Random damage: the start never fails, and every record whose bytes are untouched is found.
#include "storage/segment_scan.hpp"
#include "tests/journal/fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>
#include <random>

using namespace firehose;
using namespace firehose::storage;

namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct known_record {
    std::size_t segment = 0, offset = 0;
    std::string bytes{}, payload{};
    sequence first = 0;
};

class mutator {
public:
    explicit mutator(std::uint64_t seed) : random_(seed) {}
    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

    void mutate(std::string& s, const std::string& other) {
        if (s.empty()) return;
        const std::size_t at = below(s.size()),
                          n = std::min(s.size() - at, 1 + below(below(2) == 0 ? 8 : 300));
        switch (below(8)) {
            case 0: s[at] = static_cast<char>(s[at] ^ (1 << below(8))); break;
            case 1: s.resize(at); break;
            case 2: s.replace(at, n, n, '\0'); break;
            case 3: s.erase(at, n); break;
            case 4: s.insert(at, s.substr(below(s.size()), 1 + below(300))); break;
            case 5: s.replace(at, n, s.substr(below(s.size()), n)); break;
            case 6: s.insert(at, other.substr(below(other.size()), 1 + below(300))); break;
            default:
                for (std::size_t i = at; i < at + n; ++i) s[i] = static_cast<char>(below(256));
        }
    }

private:
    std::mt19937_64 random_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(journal_mutations, journal_fixture)

BOOST_AUTO_TEST_CASE(every_intact_record_is_found_whatever_happened_to_the_rest) {
    const std::uint64_t rounds = setting("FIREHOSE_MUTATIONS", 2000);
    const std::uint64_t seed = setting("FIREHOSE_SEED", 20260101);
    BOOST_TEST_MESSAGE("seed " << seed << ", " << rounds << " rounds");
    std::cout << "mutations: seed " << seed << ", rounds " << rounds << "\n";
    mutator m(seed);

    journal_options how;
    how.segment_bytes = 1500;
    {
        auto j = open(disk, how);
        for (int i = 0; i < 40; ++i)
            append(*j, std::to_string(i) + std::string(m.below(150), static_cast<char>('a' + i % 26)));
    }
    const auto segments = disk.files(directory);
    std::vector<known_record> known;
    std::vector<std::string> contents;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        contents.push_back(disk.content(segments[i]));
        auto opened = *disk.open(segments[i], open_how::read);
        const auto name = *journal_format::parse_file_name(segments[i].filename().native());
        scan_segment(*opened, contents[i].size(), name, how.max_payload, [&](const recovered_record& r) {
            known.push_back({i, r.where.offset, contents[i].substr(r.where.offset, r.where.length),
                             std::string(as_text(r.payload)), r.where.first});
        });
    }
    BOOST_REQUIRE(known.size() == 40u);

    std::uint64_t intact = 0, damaged = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        faults::memory_files copy;
        BOOST_REQUIRE(make_directories(copy, directory).has_value());
        auto mutated = contents;
        for (std::size_t n = 1 + m.below(4); n > 0; --n)
            m.mutate(mutated[m.below(mutated.size())], contents[m.below(contents.size())]);
        for (std::size_t i = 0; i < segments.size(); ++i) copy.set_content(segments[i], mutated[i]);

        found_records found;
        auto opened = try_open(copy, found, how);
        BOOST_REQUIRE_MESSAGE(opened.has_value(),
                              "seed " << seed << " round " << round << ": the start failed");
        for (const known_record& one : known) {
            // Its bytes may have moved within its file; they count as intact wherever they are whole.
            const bool whole = mutated[one.segment].find(one.bytes) != std::string::npos;
            ++(whole ? intact : damaged);
            const auto it = found.find(one.first);
            BOOST_REQUIRE_MESSAGE(
                whole == (it != found.end()),
                "seed " << seed << " round " << round << ": record " << one.first
                        << (whole ? " is intact and was not found" : " is damaged and was found"));
            if (whole) BOOST_REQUIRE_EQUAL(it->second, one.payload);
        }
        BOOST_REQUIRE_EQUAL(found.size(),
                            std::size_t(std::count_if(known.begin(), known.end(), [&](const auto& one) {
                                return mutated[one.segment].find(one.bytes) != std::string::npos;
                            })));
        // It goes on as if nothing had happened.
        auto next = append(**opened, "new");
        BOOST_REQUIRE_MESSAGE(next.has_value() && next->first > known.back().first - known.size(),
                              "seed " << seed << " round " << round);
        found_records again;
        opened->reset();
        auto second = try_open(copy, again, how);
        BOOST_REQUIRE(second.has_value());
        found[next->first] = "new";
        BOOST_REQUIRE_MESSAGE(again == found,
                              "seed " << seed << " round " << round << ": the second start differs");
        log_lines.clear();
    }
    std::cout << "mutations: intact " << intact << " all found, damaged " << damaged << " none delivered\n";
}

BOOST_AUTO_TEST_SUITE_END()
