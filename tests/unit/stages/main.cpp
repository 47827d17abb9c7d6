#define BOOST_TEST_MODULE stages
#include <boost/test/unit_test.hpp>
