/// A queue in memory and in the shard's time, with SQS's rules: visibility, delays, receive counts, redrive.
#pragma once
#include "pipeline/stage.hpp"
#include "storage/message_queue.hpp"
#include "storage/sqs_message.hpp"

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firehose {

/// What the queue holds; several fake_queues, like several processes, may use one. Messages come in order of
/// becoming visible, which a real queue does only about.
struct fake_queue_server {
    struct message {
        std::string id{};
        storage::outgoing_message what{};
        time_source::steady visible_at{};
        time_source::wall sent_at{};
        std::string receipt{};
        unsigned receives = 0;
    };
    enum class call { send, receive, remove, hide, attributes };

    std::list<message> messages{};
    std::vector<message> redriven{};  ///< by the redrive policy
    std::size_t most_bytes = 1 << 20;
    unsigned max_receives = 0;  ///< of the redrive policy; 0: none
    bool fifo = false;
    std::chrono::seconds retention{14 * 86400};
    std::map<call, std::size_t> calls{};
    /// Asked for each entry of a call (once where it has none); an error is its answer.
    std::function<std::optional<error>(call, const std::string& subject)> fail{};
    /// True: the call is carried out, and its answer is lost.
    std::function<bool(call)> lose_answer{};

    std::uint64_t numbers = 0;
    std::size_t requests() const {
        std::size_t all = 0;
        for (const auto& [what, n] : calls) all += n;
        return all;
    }
};

class fake_queue final : public storage::message_queue {
public:
    using server = fake_queue_server;
    fake_queue(context& x, std::shared_ptr<server> at, std::string name = "spool")
        : x_(x), at_(std::move(at)), name_(std::move(name)) {}

    task<std::vector<result<std::string>>> send(const std::vector<storage::outgoing_message>& all,
                                                time_source::steady) override {
        ++at_->calls[server::call::send];
        co_await pause();
        std::vector<result<std::string>> answers;
        for (const auto& one : all) answers.push_back(take(one));
        co_return answers;
    }

    task<result<std::vector<storage::received_message>>> receive(const storage::receive_options& how,
                                                                 time_source::steady) override {
        ++at_->calls[server::call::receive];
        co_await pause();
        if (auto bad = failure(server::call::receive, name_)) co_return *bad;
        const auto until = x_.time.now() + how.wait;
        auto found = hand_out(how);
        while (found.empty() && x_.time.now() < until) {
            const auto next = next_visible().value_or(until);
            co_await x_.time.sleep_until(std::min(until, next));
            found = hand_out(how);
        }
        co_return std::move(found);
    }

    task<std::vector<result<>>> remove(const std::vector<std::string>& receipts,
                                       time_source::steady) override {
        ++at_->calls[server::call::remove];
        co_await pause();
        std::vector<result<>> answers;
        for (const auto& receipt : receipts) {
            if (auto bad = failure(server::call::remove, receipt)) {
                answers.emplace_back(*bad);
                continue;
            }
            // As with SQS, a receipt of an earlier receive removes nothing and is no error.
            std::erase_if(at_->messages, [&](const auto& m) { return m.receipt == receipt; });
            answers.emplace_back();
        }
        co_return answers;
    }

    task<std::vector<result<>>> hide(const std::vector<storage::visibility_change>& all,
                                     time_source::steady) override {
        ++at_->calls[server::call::hide];
        co_await pause();
        std::vector<result<>> answers;
        for (const auto& one : all) {
            auto bad = failure(server::call::hide, one.receipt);
            const auto m = std::ranges::find(at_->messages, one.receipt, &server::message::receipt);
            if (!bad && (m == at_->messages.end() || m->visible_at <= x_.time.now())) bad = invalid_receipt();
            if (!bad) m->visible_at = x_.time.now() + one.visibility;
            answers.push_back(bad ? result<>(*bad) : result<>());
        }
        co_return answers;
    }

    task<result<storage::queue_attributes>> attributes(time_source::steady) override {
        ++at_->calls[server::call::attributes];
        if (auto bad = failure(server::call::attributes, name_)) co_return *bad;
        storage::queue_attributes out;
        for (const auto& m : at_->messages) {
            if (m.visible_at <= x_.time.now())
                ++out.visible;
            else
                ++(m.receipt.empty() ? out.delayed : out.in_flight);
        }
        out.retention = at_->retention;
        out.maximum_message_bytes = at_->most_bytes;
        co_return out;
    }

    const std::string& name() const noexcept override { return name_; }
    bool fifo() const noexcept override { return at_->fifo; }

private:
    /// Requests take no time, but others run meanwhile.
    task<> pause() { co_await asio::post(x_.ex, use_task); }

    std::optional<error> failure(server::call what, const std::string& subject) {
        return at_->fail ? at_->fail(what, subject) : std::nullopt;
    }
    static error invalid_receipt() {
        error_details d;
        d.provider_code = "ReceiptHandleIsInvalid";
        d.context = "the receipt is no longer good";
        return {disposition::park, std::move(d)};
    }
    result<std::string> take(const storage::outgoing_message& one) {
        if (auto bad = failure(server::call::send, one.body)) return *bad;
        if (storage::sqs::size_of(one) > at_->most_bytes || one.body.empty() ||
            !storage::sqs::is_valid_text(one.body))
            return error(disposition::park, "InvalidParameterValue: too long, empty or not allowed");
        if (at_->fifo && (one.group_id.empty() || one.deduplication_id.empty() || one.delay.count() != 0))
            return error(disposition::park, "MissingParameter: a FIFO queue needs groups and has no delays");
        if (!at_->fifo && !one.deduplication_id.empty())
            return error(disposition::park, "InvalidParameterValue: only FIFO queues drop repeats");
        if (one.delay > std::chrono::seconds(900))
            return error(disposition::park, "InvalidParameterValue: the longest delay is 900 s");
        server::message made;
        made.id = "message-" + std::to_string(++at_->numbers);
        made.what = one;
        made.visible_at = x_.time.now() + one.delay;
        made.sent_at = x_.time.wall_now();
        at_->messages.push_back(made);
        if (at_->lose_answer && at_->lose_answer(server::call::send))
            return error(disposition::retry, "the answer was lost");
        return made.id;
    }
    std::optional<time_source::steady> next_visible() const {
        std::optional<time_source::steady> next;
        for (const auto& m : at_->messages)
            if (m.visible_at > x_.time.now() && (!next || m.visible_at < *next)) next = m.visible_at;
        return next;
    }
    bool group_is_busy(const std::string& group) const {
        return std::ranges::any_of(at_->messages, [&](const auto& m) {
            return m.what.group_id == group && !m.receipt.empty() && m.visible_at > x_.time.now();
        });
    }
    std::vector<storage::received_message> hand_out(const storage::receive_options& how) {
        const auto now = x_.time.now();
        std::vector<storage::received_message> out;
        at_->messages.sort([](const auto& a, const auto& b) { return a.visible_at < b.visible_at; });
        for (auto m = at_->messages.begin(); m != at_->messages.end() && out.size() < how.most;) {
            const bool hidden = m->visible_at > now || (at_->fifo && group_is_busy(m->what.group_id));
            if (!hidden && at_->max_receives > 0 && m->receives >= at_->max_receives) {
                at_->redriven.push_back(std::move(*m));
                m = at_->messages.erase(m);
                continue;
            }
            if (!hidden) out.push_back(receive_one(*m, now + how.visibility));
            ++m;
        }
        return out;
    }
    storage::received_message receive_one(server::message& m, time_source::steady visible_at) {
        m.visible_at = visible_at;
        m.receipt = "receipt-" + std::to_string(++at_->numbers);
        ++m.receives;
        storage::received_message out;
        out.id = m.id;
        out.receipt = m.receipt;
        out.body = m.what.body;
        out.attributes = m.what.attributes;
        out.group_id = m.what.group_id;
        out.receives = m.receives;
        out.sent_at = m.sent_at;
        return out;
    }

    context& x_;
    std::shared_ptr<server> at_;
    std::string name_;
};

}  // namespace firehose
