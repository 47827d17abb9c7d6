#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>

namespace {
bool init() {
    boost::unit_test::framework::master_test_suite().p_name.value = "server";
    return true;
}
}  // namespace

int main(int argc, char* argv[]) {
    if (std::getenv("FIREHOSE_SKIP_SERVERS") != nullptr) {
        std::cerr
            << "SKIPPED, NOT PASSED: FIREHOSE_SKIP_SERVERS is set, nothing was tried on a real server\n";
        return 77;
    }
    return boost::unit_test::unit_test_main(&init, argc, argv);
}
