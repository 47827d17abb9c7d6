#include "tests/server/interop_test.hpp"
#include "tests/server/s3_bucket.hpp"

#include <cstdlib>

using namespace firehose::server_test;

BOOST_AUTO_TEST_SUITE(interop)

BOOST_AUTO_TEST_CASE(reads_what_others_wrote_and_writes_for_them) {
    const char* name = std::getenv("FIREHOSE_INTEROP_BUCKET");
    if (name == nullptr) return;  // interop.py sets it
    s3_bucket bucket(scheme::http);
    bucket.settings.parts.threshold = 6 << 20;
    bucket.settings.parts.size = 5 << 20;
    const auto store = bucket.store_with(bucket.credential, name);
    read_theirs_and_write_ours(bucket, *store);
}

BOOST_AUTO_TEST_SUITE_END()
