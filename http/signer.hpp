/// How a request gets its proof of identity; supplied by whoever knows the cloud.
#pragma once
#include "http/message.hpp"
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"

namespace firehose::http {

/// Called once per attempt, after a connection was obtained and the Host header set, with one
/// reading of the wall clock, so that the date signed is the date of sending. Replaces whatever an
/// earlier attempt left in the headers. Single shard; must not do I/O.
class signer {
public:
    virtual ~signer() = default;
    virtual result<> sign(request& req, time_source::wall now) = 0;
};

}  // namespace firehose::http
