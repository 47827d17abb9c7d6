/// Half of interop.py: reads what another client wrote and writes what that is to read.
#pragma once
#include "pipeline/bytes.hpp"
#include "storage/store.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace firehose::server_test {

/// The same in interop.py.
inline std::string interop_content(std::size_t size, const std::string& key) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 256 + key.size());
    return out;
}

inline const std::vector<std::pair<std::string, std::size_t>>& interop_objects() {
    static const std::vector<std::pair<std::string, std::size_t>> all = {
        {"plain.json", 1000},
        {"empty", 0},
        {"blank in name", 10},
        {"plus+and=equals&ampersand", 11},
        {"percent%2Fslash %", 12},
        {"tilde~star*bang!paren(s)'quote'", 13},
        {"\xC3\xA9t\xC3\xA9/\xE6\x97\xA5\xE6\x9C\xAC", 14},
        {"parts", (std::size_t{12} << 20) + 7}};
    return all;
}

/// `place` is an s3_bucket or an azure_container_fixture; `store` one of its stores.
template <class Place> void read_theirs_and_write_ours(Place& place, storage::store& store) {
    const auto deadline = place.shard().time.now() + std::chrono::minutes(2);
    const storage::put_options how;
    for (const auto& [key, size] : interop_objects()) {
        const auto text = interop_content(size, key);
        const auto theirs = place.run(store.get("theirs/" + key, {}, deadline));
        BOOST_REQUIRE_MESSAGE(theirs.has_value(), theirs.error().context());
        BOOST_TEST((theirs->bytes == text), key);
        const storage::payload body{as_bytes(text)};
        const auto put = place.run(store.put("ours/" + key, body, how, deadline));
        BOOST_REQUIRE_MESSAGE(put.has_value(), put.error().context());
    }
    const auto listed = place.run(store.list("theirs/", "", deadline));
    BOOST_REQUIRE(listed.has_value());
    BOOST_TEST(listed->items.size() == interop_objects().size());
}

}  // namespace firehose::server_test
