/// The seam: everything above it is tested without a socket, everything below against one.
#pragma once
#include "http/message.hpp"
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"

#include <functional>
#include <memory>

namespace firehose::http {

/// Sends one request and waits for its answer. Single shard; outlives its running calls.
/// Success is a whole answer of any status, unless a layer says in its contract that it judges
/// them. An error says nothing about whether the server carried the request out. A request may be
/// changed on the way (signatures, dates), so that it can be sent again but not shared.
/// May be cancelled; the connection in use is closed then, nothing else is left behind.
class transport {
public:
    virtual ~transport() = default;
    virtual task<result<response>> send(request& req, time_source::steady deadline) = 0;
};

class signer;
struct authority;

/// Makes the bottom of a stack of transports, for one authority and one signer (which may be null and
/// outlives it). http::client::transports() gives the real one, tests give a fake.
using transport_factory = std::function<std::shared_ptr<transport>(const authority& to, signer* by)>;

}  // namespace firehose::http
