/// GET, PUT and DELETE of /flows/{id}, and the list of them.
#pragma once
#include "examples/firehose/admin_routes.hpp"
#include "examples/firehose/live_configuration.hpp"

namespace firehose::app {

/// A flow is {"id", "name"?, "firehose", "origin": "api" | "configuration"}; PUT takes "firehose" and, if
/// wanted, "name", and answers 201 for a new one and 200 for another version. What is wrong with it is
/// answered 422 with every fault and its JSON Pointer. GET /flows is an array. An ETag comes with each, and
/// is compared under If-Match and If-None-Match. DELETE answers with what was deleted; a flow of the
/// configuration file is refused (409).
///
/// Effective for events accepted after the answer. Runs on the shard of `live`, which outlives it.
class flows_api {
public:
    flows_api(live_configuration& live, logger log) : live_(live), log_(std::move(log)) {}
    task<http::answer> answer(admin_request asked);

private:
    http::answer list() const;
    http::answer show(const admin_request& asked) const;
    task<http::answer> save(const admin_request& asked);
    task<http::answer> remove(const admin_request& asked);

    live_configuration& live_;
    logger log_;
};

/// 422 with all of them: {"error": sentence, "errors": [{"pointer", "message"}, …]}.
http::response faults_answer(const std::string& sentence, const std::vector<fault>& faults);

/// 503 for a change that the disk did not take; says that it may be there after a restart.
http::refusal not_durable(const error& why);

}  // namespace firehose::app
