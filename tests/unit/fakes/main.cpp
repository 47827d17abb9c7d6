#define BOOST_TEST_MODULE unit_fakes
#include <boost/test/unit_test.hpp>
