#define BOOST_TEST_MODULE loopback
#include <boost/test/unit_test.hpp>
