/// A queue of Amazon SQS, or of a server that speaks its JSON protocol, standard or FIFO.
#pragma once
#include "http/retry.hpp"
#include "storage/message_queue.hpp"
#include "storage/sqs_exchange.hpp"
#include "storage/sqs_message.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage {

struct sqs_options {
    /// Of one message, and of one request's messages together. AWS takes 1 MiB since August 2025; queues
    /// made before and other servers may take 256 KiB.
    std::size_t message_bytes = 1 << 20;
    std::size_t requests = 4;  ///< at once, of one call with many messages; 1 on a FIFO queue
    http::backoff retries{};   ///< of requests, and of entries that failed in a request that succeeded
    std::shared_ptr<credential_source> keys{};  ///< what to sign with; null: what stands in the credential
};

/// All requests are repeated after failures that may pass, sends too: a message may be there twice. On a FIFO
/// queue its deduplication id prevents that.
///
/// Checked: the MD5 of every body and of its attributes, as SQS took them and as they come back. A
/// message that SQS could never take (too long, characters it refuses) is refused here, with
/// disposition::park; the others of the call are sent.
///
/// `connect` gives transports that wait longer for an answer than a receive() waits for messages.
class sqs_queue final : public message_queue {
public:
    sqs_queue(context& shard, const http::transport_factory& connect, const credential& with, sqs_location at,
              sqs_options how = {});

    task<std::vector<result<std::string>>> send(const std::vector<outgoing_message>& all,
                                                time_source::steady deadline) override;
    task<result<std::vector<received_message>>> receive(const receive_options& how,
                                                        time_source::steady deadline) override;
    task<std::vector<result<>>> remove(const std::vector<std::string>& receipts,
                                       time_source::steady deadline) override;
    task<std::vector<result<>>> hide(const std::vector<visibility_change>& all,
                                     time_source::steady deadline) override;
    task<result<queue_attributes>> attributes(time_source::steady deadline) override;

    const std::string& name() const noexcept override { return exchange_.at().name; }
    bool fifo() const noexcept override { return exchange_.at().fifo; }

    /// The URL of the queue of that name beside this one.
    task<result<std::string>> url_of(const std::string& queue_name, time_source::steady deadline);

private:
    /// One kind of request with many entries, which has a form for a single one as well.
    struct bulk {
        std::string action{};                                          ///< of the single form
        std::function<void(std::string& out, std::size_t i)> write{};  ///< members of entry i
        std::function<std::size_t(std::size_t i)> size{};              ///< what counts for the limit
        /// Nothing when what the server says of entry i is right.
        std::function<std::string(std::size_t i, const sqs::success&)> doubt{};
    };
    /// What has become of the entries; `open` are those without a final answer.
    struct progress {
        std::vector<result<std::string>> answers{};
        std::vector<std::size_t> open{};
        std::vector<bool> tried_enough{};  ///< in a request that failed, which was repeated as a whole
        std::size_t next = 0;              ///< of open: where the next request begins
    };
    task<std::vector<result<std::string>>> carry_out(const bulk& what, progress state,
                                                     time_source::steady deadline);
    task<> one_round(const bulk& what, progress& state, time_source::steady deadline);
    task<> worker(const bulk& what, progress& state, time_source::steady deadline);
    std::vector<std::size_t> take_some(const bulk& what, progress& state) const;
    task<> ask(const bulk& what, std::vector<std::size_t> entries, progress& state,
               time_source::steady deadline);
    void read_answers(const bulk& what, const std::vector<std::size_t>& entries, std::string_view body,
                      progress& state) const;
    task<result<std::string>> call(std::string_view action, const std::string& body,
                                   time_source::steady deadline);
    std::string about_queue() const;
    error malformed(std::string_view action) const;

    context& shard_;
    sqs_options how_;
    sqs_exchange exchange_;
    http::retrying retrying_;
};

}  // namespace firehose::storage
