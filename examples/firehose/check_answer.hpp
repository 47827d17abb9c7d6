/// From what a store, or the network, said to what the one who tries a credential is told.
#pragma once
#include "examples/firehose/check_request.hpp"
#include "http/exchange.hpp"

namespace firehose::app {

/// {"validated":true,"verification_file":…}
http::response validated(const check_request& what);

/// Pure. 422: the store said no; 502: it cannot be reached, is not trusted, is no store, or is not able to
/// just now; 504: it took too long. The sentence names the store's error code and what to do. It holds no
/// value of the request and nothing else that the other side sent. Whether a name does not exist, leads to
/// where it must not or nobody is there is one and the same answer: it is nobody's business what is in this
/// network.
http::refusal refused_check(const error& why, const check_request& what);

}  // namespace firehose::app
