/// The seam between whoever keeps messages in a queue and the queue: send, receive, hide, remove.
#pragma once
#include "pipeline/error.hpp"
#include "pipeline/task.hpp"
#include "pipeline/time_source.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace firehose::storage {

/// `type` is "String", "Number" or "Binary", each perhaps with ".label" behind it. The value of a
/// binary one is its bytes.
struct message_attribute {
    std::string name{};
    std::string type = "String";
    std::string value{};

    friend bool operator==(const message_attribute&, const message_attribute&) = default;
};

struct outgoing_message {
    std::string body{};  ///< UTF-8, at least one character
    std::vector<message_attribute> attributes{};
    std::chrono::seconds delay{0};  ///< not receivable before; at most 900 s; not on a FIFO queue
    std::string group_id{};         ///< FIFO queues only, and required there
    std::string deduplication_id{};
};

struct received_message {
    std::string id{};
    std::string receipt{};  ///< names this one receiving of the message; good until the next
    std::string body{};
    std::vector<message_attribute> attributes{};
    std::string group_id{};
    unsigned receives = 1;  ///< this one included
    time_source::wall sent_at{};
};

struct receive_options {
    unsigned most = 10;  ///< 1 to 10
    /// How long the queue waits for a message, at most 20 s. With 0 it may say that there is none although
    /// there is.
    std::chrono::seconds wait{0};
    std::chrono::seconds visibility{60};  ///< the messages are hidden from others that long, at most 12 h
};

/// A new visibility for a received message, counted from now; 0 gives it back.
struct visibility_change {
    std::string receipt{};
    std::chrono::seconds visibility{};
};

/// What a queue says about itself. Counts are approximate: a real one lags by up to a minute.
struct queue_attributes {
    std::uint64_t visible = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t delayed = 0;
    std::chrono::seconds retention{0};  ///< older messages are deleted by the queue; 0: it did not say
    std::chrono::seconds visibility{0};
    std::uint64_t maximum_message_bytes = 0;
    std::string redrive_policy{};  ///< JSON, empty for none

    std::uint64_t records() const noexcept { return visible + in_flight + delayed; }
};

/// At least once: a message that was received and neither removed nor hidden again comes back. Single shard;
/// outlives its running calls. Every call of many takes any number and answers for each in their order; it
/// may have carried out those it failed. May be cancelled, which leaves unknown what was carried out.
class message_queue {
public:
    virtual ~message_queue() = default;

    /// The id of each message the queue has taken; success means that its copy of the bytes is right.
    virtual task<std::vector<result<std::string>>> send(const std::vector<outgoing_message>& all,
                                                        time_source::steady deadline) = 0;
    /// Empty: none was there. Messages whose bytes are damaged are left out and come back later. The
    /// deadline lies beyond the wait.
    virtual task<result<std::vector<received_message>>> receive(const receive_options& how,
                                                                time_source::steady deadline) = 0;
    virtual task<std::vector<result<>>> remove(const std::vector<std::string>& receipts,
                                               time_source::steady deadline) = 0;
    virtual task<std::vector<result<>>> hide(const std::vector<visibility_change>& all,
                                             time_source::steady deadline) = 0;
    virtual task<result<queue_attributes>> attributes(time_source::steady deadline) = 0;

    virtual const std::string& name() const noexcept = 0;
    /// First in, first out within a group; no delays of single messages.
    virtual bool fifo() const noexcept = 0;
};

}  // namespace firehose::storage
