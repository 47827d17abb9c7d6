#include "storage/sqs_queue.hpp"

#include "pipeline/backoff.hpp"
#include "pipeline/scope.hpp"

#include <algorithm>
#include <utility>

namespace firehose::storage {

namespace {

constexpr std::size_t most_entries = 10;

bool may_pass(const error& why) {
    return why.what() == disposition::retry || why.what() == disposition::slow_down;
}

std::vector<result<>> without_values(std::vector<result<std::string>> all) {
    std::vector<result<>> out;
    out.reserve(all.size());
    for (auto& one : all) out.push_back(one.has_value() ? result<>() : result<>(one.error()));
    return out;
}

}  // namespace

sqs_queue::sqs_queue(context& shard, const http::transport_factory& connect, const credential& with,
                     sqs_location at, sqs_options how)
    : shard_(shard),
      how_(std::move(how)),
      exchange_(shard, connect, with, std::move(at), how_.keys),
      retrying_(exchange_, shard.time, shard.random, how_.retries) {}

std::string sqs_queue::about_queue() const {
    std::string out = "{";
    sqs::append_member(out, "QueueUrl", exchange_.at().url);
    return out;
}

error sqs_queue::malformed(std::string_view action) const {
    return {disposition::retry,
            std::string(action) + " to " + name() + ": the answer is not what SQS would say"};
}

task<result<std::string>> sqs_queue::call(std::string_view action, const std::string& body,
                                          time_source::steady deadline) {
    auto req = sqs_request(action, body);
    auto answer = co_await retrying_.send(req, deadline);
    if (!answer.has_value()) co_return answer.error();
    co_return std::move(answer->body);
}

std::vector<std::size_t> sqs_queue::take_some(const bulk& what, progress& state) const {
    std::vector<std::size_t> entries;
    std::size_t bytes = 0;
    while (state.next < state.open.size() && entries.size() < most_entries) {
        const std::size_t i = state.open[state.next];
        const std::size_t size = what.size ? what.size(i) : 0;
        if (!entries.empty() && bytes + size > how_.message_bytes) break;
        bytes += size;
        entries.push_back(i);
        ++state.next;
    }
    return entries;
}

task<> sqs_queue::ask(const bulk& what, std::vector<std::size_t> entries, progress& state,
                      time_source::steady deadline) {
    auto body = about_queue();
    if (entries.size() == 1) {
        what.write(body, entries.front());
    } else {
        body += ",\"Entries\":[";
        for (std::size_t n = 0; n < entries.size(); ++n) {
            body += n == 0 ? "{" : ",{";
            sqs::append_member(body, "Id", std::to_string(n));
            what.write(body, entries[n]);
            body += '}';
        }
        body += ']';
    }
    body += '}';
    const std::string action = entries.size() == 1 ? what.action : what.action + "Batch";
    auto answer = co_await call(action, body, deadline);
    if (answer.has_value()) {
        read_answers(what, entries, *answer, state);
        co_return;
    }
    for (const auto i : entries) {
        state.answers[i] = answer.error();
        state.tried_enough[i] = true;
    }
}

void sqs_queue::read_answers(const bulk& what, const std::vector<std::size_t>& entries, std::string_view body,
                             progress& state) const {
    for (const auto i : entries) state.answers[i] = malformed(what.action);  // of which nothing is said
    const auto accept = [&](std::size_t i, const sqs::success& said) {
        const auto doubt = what.doubt ? what.doubt(i, said) : std::string();
        if (doubt.empty())
            state.answers[i] = said.message_id;
        else
            state.answers[i] = error(disposition::retry, what.action + " to " + name() + ": " + doubt);
    };
    if (entries.size() == 1) {
        if (const auto said = sqs::read_single_answer(body)) accept(entries.front(), *said);
        return;
    }
    const auto said = sqs::read_batch_answer(body);
    if (!said) return;
    const auto entry_of = [&entries](const std::string& id) {
        const auto n = whole_number(id);
        return n && *n < entries.size() ? std::optional(entries[static_cast<std::size_t>(*n)]) : std::nullopt;
    };
    for (const auto& one : said->successful)
        if (const auto i = entry_of(one.id)) accept(*i, one);
    for (const auto& one : said->failed)
        if (const auto i = entry_of(one.id))
            state.answers[*i] = exchange_.refused_entry(what.action, one.code, one.message);
}

task<> sqs_queue::worker(const bulk& what, progress& state, time_source::steady deadline) {
    for (;;) {
        auto entries = take_some(what, state);
        if (entries.empty()) co_return;
        co_await ask(what, std::move(entries), state, deadline);
    }
}

task<> sqs_queue::one_round(const bulk& what, progress& state, time_source::steady deadline) {
    const auto start = [this, &what, &state, deadline](task_scope& s) {
        const std::size_t needed = (state.open.size() + most_entries - 1) / most_entries;
        const std::size_t at_once = fifo() ? 1 : how_.requests;  // two at once could overtake each other
        for (std::size_t n = 0; n < std::min(needed, at_once); ++n) s.spawn(worker(what, state, deadline));
    };
    return with_scope(shard_.ex, start);
}

task<std::vector<result<std::string>>> sqs_queue::carry_out(const bulk& what, progress state,
                                                            time_source::steady deadline) {
    state.tried_enough.resize(state.answers.size());
    for (int round = 1; !state.open.empty(); ++round) {
        state.next = 0;
        co_await one_round(what, state, deadline);
        std::erase_if(state.open, [&state](std::size_t i) {
            const auto& answer = state.answers[i];
            return answer.has_value() || !may_pass(answer.error()) || state.tried_enough[i];
        });
        if (state.open.empty() || round >= how_.retries.attempts) break;
        const auto wait = full_jitter(how_.retries.base, how_.retries.cap, static_cast<unsigned>(round - 1),
                                      shard_.random.uniform());
        const auto wake = shard_.time.now() + wait;
        if (wake >= deadline) break;
        co_await shard_.time.sleep_until(wake);
    }
    co_return std::move(state.answers);
}

task<std::vector<result<std::string>>> sqs_queue::send(const std::vector<outgoing_message>& all,
                                                       time_source::steady deadline) {
    bulk what;
    what.action = "SendMessage";
    what.write = [&all](std::string& out, std::size_t i) { sqs::append_message(out, all[i]); };
    what.size = [&all](std::size_t i) { return sqs::size_of(all[i]); };
    what.doubt = [&all](std::size_t i, const sqs::success& said) -> std::string {
        if (said.md5_of_body != sqs::md5_of(all[i].body)) return "the queue has other bytes than were sent";
        if (all[i].attributes.empty()) return {};
        if (said.md5_of_attributes == sqs::md5_of(all[i].attributes)) return {};
        return "the queue has other attributes than were sent";
    };
    progress state;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto size = sqs::size_of(all[i]);
        std::string problem;
        if (all[i].body.empty())
            problem = "a message must not be empty";
        else if (size > how_.message_bytes)
            problem = "the message has " + std::to_string(size) + " bytes, the limit is " +
                      std::to_string(how_.message_bytes);
        else if (!sqs::is_valid_text(all[i].body))
            problem = "the message holds characters that SQS does not take";
        if (problem.empty()) state.open.push_back(i);
        state.answers.emplace_back(
            error(disposition::park, "SendMessage to " + name() + ": " + std::move(problem)));
    }
    auto answers = co_await carry_out(what, std::move(state), deadline);
    co_return answers;
}

task<std::vector<result<>>> sqs_queue::remove(const std::vector<std::string>& receipts,
                                              time_source::steady deadline) {
    bulk what;
    what.action = "DeleteMessage";
    what.write = [&receipts](std::string& out, std::size_t i) {
        sqs::append_member(out, "ReceiptHandle", receipts[i]);
    };
    progress state;
    for (std::size_t i = 0; i < receipts.size(); ++i) {
        state.open.push_back(i);
        state.answers.emplace_back(std::string());
    }
    auto answers = co_await carry_out(what, std::move(state), deadline);
    co_return without_values(std::move(answers));
}

task<std::vector<result<>>> sqs_queue::hide(const std::vector<visibility_change>& all,
                                            time_source::steady deadline) {
    bulk what;
    what.action = "ChangeMessageVisibility";
    what.write = [&all](std::string& out, std::size_t i) {
        sqs::append_member(out, "ReceiptHandle", all[i].receipt);
        sqs::append_member(out, "VisibilityTimeout", all[i].visibility.count());
    };
    progress state;
    for (std::size_t i = 0; i < all.size(); ++i) {
        state.open.push_back(i);
        state.answers.emplace_back(std::string());
    }
    auto answers = co_await carry_out(what, std::move(state), deadline);
    co_return without_values(std::move(answers));
}

task<result<std::vector<received_message>>> sqs_queue::receive(const receive_options& how,
                                                               time_source::steady deadline) {
    auto body = about_queue();
    sqs::append_member(body, "MaxNumberOfMessages", how.most);
    sqs::append_member(body, "WaitTimeSeconds", how.wait.count());
    sqs::append_member(body, "VisibilityTimeout", how.visibility.count());
    // The older of its two names, which every server knows.
    body += ",\"AttributeNames\":[\"ApproximateReceiveCount\",\"SentTimestamp\",\"MessageGroupId\"]"
            ",\"MessageAttributeNames\":[\"All\"]}";
    auto answer = co_await call("ReceiveMessage", body, deadline);
    if (!answer.has_value()) co_return answer.error();
    auto messages = sqs::read_messages(*answer);
    if (!messages) co_return malformed("ReceiveMessage");
    std::vector<received_message> out;
    for (auto& one : *messages) {
        const bool whole =
            one.md5_of_body == sqs::md5_of(one.message.body) &&
            (one.message.attributes.empty() || one.md5_of_attributes == sqs::md5_of(one.message.attributes));
        if (whole && !one.message.receipt.empty()) {
            out.push_back(std::move(one.message));
            continue;
        }
        ++shard_.count["sqs_damaged_messages"];
        shard_.log.warning("a message arrived with other bytes than its checksum says; it is received again",
                           {{"queue", name()}, {"message_id", one.message.id}});
    }
    co_return std::move(out);
}

task<result<queue_attributes>> sqs_queue::attributes(time_source::steady deadline) {
    const auto body = about_queue() + ",\"AttributeNames\":[\"All\"]}";
    auto answer = co_await call("GetQueueAttributes", body, deadline);
    if (!answer.has_value()) co_return answer.error();
    auto found = sqs::read_attributes(*answer);
    if (!found) co_return malformed("GetQueueAttributes");
    co_return std::move(*found);
}

task<result<std::string>> sqs_queue::url_of(const std::string& queue_name, time_source::steady deadline) {
    std::string body = "{";
    sqs::append_member(body, "QueueName", queue_name);
    body += '}';
    auto answer = co_await call("GetQueueUrl", body, deadline);
    if (!answer.has_value()) co_return answer.error();
    auto url = sqs::read_queue_url(*answer);
    if (!url) co_return malformed("GetQueueUrl");
    co_return std::move(*url);
}

}  // namespace firehose::storage
