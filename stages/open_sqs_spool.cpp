#include "stages/open_sqs_spool.hpp"

#include "http/client.hpp"
#include "storage/sqs_location.hpp"
#include "storage/sqs_queue.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

const storage::credential* find_credential(const storage::credential_map& all, const std::string& id) {
    const auto found = all.find(id);
    return found == all.end() ? nullptr : &found->second;
}

std::unique_ptr<storage::message_queue> make_queue(context& x, http::client& through,
                                                   const storage::credential& with,
                                                   std::shared_ptr<storage::credential_source> keys,
                                                   const std::string& url, const sqs_spool_options& how) {
    storage::sqs_options options;
    options.message_bytes = how.message_bytes;
    options.keys = std::move(keys);
    return std::make_unique<storage::sqs_queue>(x, through.transports(), with,
                                                storage::locate_sqs(with, url).value(), options);
}

}  // namespace

std::string sqs_spool_problem(const sqs_spool_settings& settings,
                              const storage::credential_map& credentials) {
    const auto* with = find_credential(credentials, settings.credential_id);
    auto problem = storage::sqs_problem(settings.queue_url, settings.credential_id, with);
    if (!problem.empty() || settings.dead_letter_queue_url.empty()) return problem;
    if (settings.dead_letter_queue_url == settings.queue_url)
        return "the queue for dead letters must be another queue";
    problem = storage::sqs_problem(settings.dead_letter_queue_url, settings.credential_id, with);
    return problem.empty() ? problem : "dead letters: " + problem;
}

http::client_options sqs_client_options(http::client_options usual, const sqs_spool_options& how) {
    usual.wait.first_byte = std::max(usual.wait.first_byte, how.wait + std::chrono::milliseconds(10'000));
    usual.wait.whole = std::max(usual.wait.whole, usual.wait.first_byte + usual.wait.progress);
    // Ten messages, in which every character may be escaped twice.
    usual.accept.body = std::max(usual.accept.body, how.message_bytes * 40);
    return usual;
}

task<result<std::unique_ptr<spool_backend>>> open_sqs_spool(context& x, sqs_spool_settings settings,
                                                            const storage::credential_map& credentials,
                                                            storage::credential_sources& sources,
                                                            http::client_options usual,
                                                            std::unique_ptr<spool_backend> disk) {
    const auto problem = sqs_spool_problem(settings, credentials);
    if (!problem.empty()) co_return error(disposition::stop, "the spool's queue: " + problem);
    const auto& with = *find_credential(credentials, settings.credential_id);
    const auto keys = sources.get(with);
    if (keys.has_error()) co_return keys.error();
    const auto client = std::make_shared<http::client>(x, sqs_client_options(std::move(usual), settings.how));
    sqs_spool::parts made;
    made.beneath = client;
    made.queue = make_queue(x, *client, with, *keys, settings.queue_url, settings.how);
    if (!settings.dead_letter_queue_url.empty())
        made.dead_letters = make_queue(x, *client, with, *keys, settings.dead_letter_queue_url, settings.how);
    made.disk = std::move(disk);
    auto opened = co_await sqs_spool::open(x, std::move(made), settings.how);
    if (opened.has_error()) co_return opened.error();
    co_return std::unique_ptr<spool_backend>(std::move(*opened));
}

}  // namespace firehose::stages
