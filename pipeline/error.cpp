#include "pipeline/error.hpp"

namespace firehose {

std::string_view to_string(disposition what) noexcept {
    switch (what) {
        case disposition::retry: return "retry";
        case disposition::slow_down: return "slow_down";
        case disposition::park: return "park";
        case disposition::stop: return "stop";
    }
    return "unknown";
}

error system_call_error(disposition what, std::string_view call, std::string_view subject, int error_number) {
    error_details d;
    d.code = error_code(error_number, boost::system::system_category());
    d.context.append(call).append("(").append(subject).append("): ").append(d.code.message());
    return {what, std::move(d)};
}

void throw_exception_from_error(const error& e, const boost::source_location& where) {
    throw boost::system::system_error(error_code(e.code(), &where), e.context());
}

}  // namespace firehose
