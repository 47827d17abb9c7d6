#include "pipeline/scope.hpp"

#include <boost/system/system_error.hpp>

namespace firehose {

bool is_cancellation(const std::exception_ptr& e) noexcept {
    if (!e) return false;
    try {
        std::rethrow_exception(e);
    } catch (const boost::system::system_error& failed) {
        return failed.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

std::string describe(const std::exception_ptr& e) {
    if (!e) return "no failure";
    try {
        std::rethrow_exception(e);
    } catch (const std::exception& failed) {
        return failed.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

}  // namespace firehose
