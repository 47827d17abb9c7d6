/// Published test data as JSON: tests/golden always, a folder of more when it is there.
#pragma once
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace firehose::vectors {

inline boost::json::value load(const std::filesystem::path& file) {
    std::ifstream in(file);
    BOOST_REQUIRE_MESSAGE(in, "cannot read " + file.string());
    std::ostringstream text;
    text << in.rdbuf();
    return boost::json::parse(text.str());
}

inline boost::json::value golden(const char* file) {
    return load(std::filesystem::path(FIREHOSE_GOLDEN) / file);
}

inline std::filesystem::path folder() {
    const char* chosen = std::getenv("FIREHOSE_VECTORS");
    return chosen != nullptr ? chosen : FIREHOSE_VECTORS;
}

/// False, and said aloud, when the file is not there.
inline bool have(const char* file) {
    if (std::filesystem::exists(folder() / file)) return true;
    BOOST_TEST_MESSAGE("SKIPPED, NOT PASSED: no " << folder() / file);
    std::cerr << "SKIPPED, NOT PASSED: no " << folder() / file << "; set FIREHOSE_VECTORS\n";
    return false;
}

inline std::string text(const boost::json::value& v) { return boost::json::value_to<std::string>(v); }

}  // namespace firehose::vectors
