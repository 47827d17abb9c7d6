#include "tests/server/azure_container.hpp"
#include "tests/server/interop_test.hpp"

#include <cstdlib>

using namespace firehose::azure_test;

BOOST_AUTO_TEST_SUITE(interop)

BOOST_AUTO_TEST_CASE(reads_what_others_wrote_and_writes_for_them) {
    const char* name = std::getenv("FIREHOSE_INTEROP_BUCKET");
    if (name == nullptr) return;  // interop.py sets it
    azure_container_fixture container(scheme::http);
    container.settings.parts.threshold = 6 << 20;
    container.settings.parts.size = 5 << 20;
    const auto store = container.store_with(container.credential, name);
    firehose::server_test::read_theirs_and_write_ours(container, *store);
}

BOOST_AUTO_TEST_SUITE_END()
