/// GET, PUT and DELETE of /credentials/{id}, and the list of them. Secrets go in and never come out.
#pragma once
#include "examples/firehose/admin_routes.hpp"
#include "examples/firehose/live_configuration.hpp"

namespace firehose::app {

/// PUT takes what read_saved_credential() does and replaces the whole credential, secrets included; GET and
/// DELETE show what visible_credential() does. Ids are 24 hexadecimal digits. Statuses are those of
/// flows_api; 409 also where the configuration names no key to seal with. DELETE tells under "needed_by"
/// which flows and how many records of the spool name the credential, and under "note" what becomes of them.
///
/// Effective at once, also for records that are in the spool. Runs on the shard of `live`, which outlives it.
class credentials_api {
public:
    credentials_api(live_configuration& live, const context& x) : live_(live), x_(x) {}
    task<http::answer> answer(admin_request asked);

private:
    http::answer list() const;
    http::answer show(const admin_request& asked) const;
    task<http::answer> save(const admin_request& asked);
    task<http::answer> remove(const admin_request& asked);
    std::string now() const;

    live_configuration& live_;
    const context& x_;
};

}  // namespace firehose::app
