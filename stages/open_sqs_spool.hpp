/// The SQS spool from its settings: a client of its own for the queue, the disk spool beneath.
#pragma once
#include "http/options.hpp"
#include "stages/sqs_spool.hpp"
#include "storage/credential_sources.hpp"
#include "storage/credentials.hpp"

#include <memory>
#include <string>

namespace firehose::stages {

struct sqs_spool_settings {
    std::string queue_url{};
    std::string credential_id{};
    std::string dead_letter_queue_url{};  ///< empty: dead letters stay on the disk
    sqs_spool_options how{};
};

/// What is wrong with the settings, for the person who wrote them; empty when nothing is.
std::string sqs_spool_problem(const sqs_spool_settings& settings, const storage::credential_map& credentials);

/// How requests to the queue wait: as `usual`, but an answer may take as long as a receive waits for
/// messages.
http::client_options sqs_client_options(http::client_options usual, const sqs_spool_options& how);

/// `disk` takes what the queue does not; requests are signed with what `sources` has for the credential,
/// which outlives the spool. Fails as sqs_spool::open() does, and for settings that cannot work.
task<result<std::unique_ptr<spool_backend>>> open_sqs_spool(context& x, sqs_spool_settings settings,
                                                            const storage::credential_map& credentials,
                                                            storage::credential_sources& sources,
                                                            http::client_options usual,
                                                            std::unique_ptr<spool_backend> disk);

}  // namespace firehose::stages
