#include "storage/s3_keys.hpp"

namespace firehose::storage {

namespace {

struct keys_in_use {
    std::shared_ptr<credential_source> from;
    credential_ptr given{};  ///< by the last answer
};

task<result<sigv4::identity>> next_keys(std::shared_ptr<keys_in_use> self, bool refused,
                                        time_source::steady deadline) {
    auto& from = *self->from;
    const auto was = self->given;
    if (refused) co_await from.renew(was, deadline);
    if (from.due()) {
        auto ready = co_await from.ready(deadline);
        if (!ready.has_value()) co_return ready.error();
    }
    self->given = from.current();
    const auto& now = *self->given;
    sigv4::identity keys;
    keys.access_key_id = now.access_key_id;
    keys.secret_access_key = now.secret_access_key;
    keys.session_token = now.session_token;
    co_return keys;
}

}  // namespace

s3_key_source keys_from(std::shared_ptr<credential_source> from) {
    auto self = std::make_shared<keys_in_use>();
    self->from = std::move(from);
    return [self = std::move(self)](bool refused, time_source::steady deadline) {
        return next_keys(self, refused, deadline);
    };
}

}  // namespace firehose::storage
