#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

namespace {
bool init() {
    boost::unit_test::framework::master_test_suite().p_name.value = "server";
    return true;
}
/// What the script that should have started the server says instead, when it could not be had.
std::string why_there_is_no_server() {
    if (std::getenv("FIREHOSE_SKIP_SERVERS") != nullptr)
        return "SKIPPED, NOT PASSED: FIREHOSE_SKIP_SERVERS is set, nothing was tried on a real server";
    for (const auto* variable : {"S3_ENV_FILE", "AZURE_ENV_FILE", "SQS_ENV_FILE"}) {
        const char* path = std::getenv(variable);
        std::ifstream in(path ? path : "");
        std::string line;
        if (std::getline(in, line) && line.starts_with("SKIPPED")) return line;
    }
    return {};
}

}  // namespace

int main(int argc, char* argv[]) {
    if (const auto why = why_there_is_no_server(); !why.empty()) {
        std::cerr << why << "\n";
        return 77;
    }
    return boost::unit_test::unit_test_main(&init, argc, argv);
}
