#include "stages/spool_backend.hpp"

namespace firehose::stages {

failure describe_failure(const error& e) {
    failure f;
    f.disposition = to_string(e.what());
    f.code = e.provider_code();
    if (f.code.empty() && e.code()) f.code = e.code().message();
    f.status = e.status();
    f.message = e.context();
    return f;
}

task<> spool_backend::hold_leases() { co_return; }

}  // namespace firehose::stages
