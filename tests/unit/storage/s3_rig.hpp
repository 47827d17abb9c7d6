/// An S3 store on a shard in virtual time whose server answers from a script.
#pragma once
#include "pipeline/bytes.hpp"
#include "storage/s3_store.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/storage/fake_transport.hpp"

#include <chrono>
#include <memory>

namespace firehose {

struct s3_rig : shard_fixture {
    fake_server server;
    storage::credential with;
    storage::s3_options options;
    std::unique_ptr<storage::s3_store> store;

    s3_rig() {
        server.usual = answer(200, "", {{"ETag", "\"abc\""}});
        with.id = "507f1f77bcf86cd799439011";
        with.username = "AKIA1";
        with.password = storage::secret("hunter2");
        make();
    }
    void make() {
        auto connect = [this](const http::authority& to, http::signer* by) {
            return std::make_shared<fake_transport>(server, time, to, by);
        };
        auto at = storage::locate_s3(with, "b00", storage::s3_region(with), options.given.style);
        store = std::make_unique<storage::s3_store>(x, connect, with, "b00", at.value(), options);
    }
    time_source::steady soon() { return time.now() + std::chrono::hours(1); }
};

}  // namespace firehose
