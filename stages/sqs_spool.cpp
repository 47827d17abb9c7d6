#include "stages/sqs_spool.hpp"

#include "http/digest.hpp"
#include "http/random_hex.hpp"
#include "storage/sqs_message.hpp"

#include <algorithm>
#include <utility>

namespace firehose::stages {
namespace {

using namespace std::chrono_literals;

/// SQS's own limits.
constexpr std::chrono::seconds longest_delay = 900s;
constexpr std::chrono::seconds longest_visibility = 12h;
constexpr std::chrono::seconds whole_retention = 14 * 24h;

/// How long a message that is none of ours is left alone. Its receives count, so a redrive policy moves it.
constexpr std::chrono::seconds foreign_pause = 900s;

/// Receives of nothing but records met before, until a pass has been round the queue.
constexpr unsigned looks_at_touched = 3;

constexpr std::string_view attribute_name = "firehose.record";

/// Leases of the disk spool are told by this bit.
constexpr lease_id on_disk = lease_id(1) << 63;

bool is_once(const lease_query& which) { return which.untouched_since != time_source::wall::max(); }

void take_away(std::uint64_t& from, std::uint64_t n) { from -= std::min(from, n); }

}  // namespace

sqs_spool::sqs_spool(context& x, parts with, options how)
    : x_(x),
      with_(std::move(with)),
      how_(how),
      run_(http::random_hex(x.random, 16)),
      sending_(x.ex, [this](std::vector<storage::outgoing_message> all) { return send_all(std::move(all)); }),
      removing_(x.ex, [this](std::vector<std::string> all) { return remove_all(std::move(all)); }) {}

task<std::vector<result<std::string>>> sqs_spool::send_all(std::vector<storage::outgoing_message> all) {
    auto answers = co_await with_.queue->send(all, deadline());
    co_return answers;
}

task<std::vector<result<>>> sqs_spool::remove_all(std::vector<std::string> receipts) {
    auto answers = co_await with_.queue->remove(receipts, deadline());
    co_return answers;
}

task<result<std::unique_ptr<sqs_spool>>> sqs_spool::open(context& x, parts with, options how) {
    std::unique_ptr<sqs_spool> made(new sqs_spool(x, std::move(with), how));
    auto& queue = *made->with_.queue;
    const auto about = co_await queue.attributes(made->deadline());
    if (about.has_error()) {
        if (about.error().what() == disposition::stop) co_return about.error();
        x.log.warning("the spool's queue cannot be reached; what it should take is kept on the disk",
                      {{"queue", queue.name()}, {"reason", about.error().context()}});
    } else {
        made->in_queue_ = about->records();
        if (about->retention > 0s && about->retention < whole_retention)
            x.log.warning(
                "the queue deletes messages by their age; set MessageRetentionPeriod to 1209600 (14 "
                "days), the longest there is",
                {{"queue", queue.name()}, {"seconds", about->retention.count()}});
        if (about->maximum_message_bytes > 0 && about->maximum_message_bytes < how.message_bytes)
            x.log.warning(
                "the queue takes smaller messages than message_bytes says; larger ones go to the disk",
                {{"queue", queue.name()}, {"bytes", about->maximum_message_bytes}});
    }
    if (made->with_.dead_letters) {
        const auto dead = co_await made->with_.dead_letters->attributes(made->deadline());
        if (dead.has_error() && dead.error().what() == disposition::stop) co_return dead.error();
        if (dead.has_value()) made->in_dead_letters_ = dead->records();
    }
    co_return std::move(made);
}

time_source::steady sqs_spool::deadline() const { return x_.time.now() + how_.timeout; }

std::chrono::seconds sqs_spool::until(time_source::wall when, std::chrono::seconds most) const {
    const auto now = x_.time.wall_now();
    if (when <= now) return 0s;
    if (when - now >= most) return most;
    return std::chrono::ceil<std::chrono::seconds>(when - now);
}

std::optional<storage::outgoing_message> sqs_spool::message_of(const storage::message_queue& queue,
                                                               const spool_header& header,
                                                               const sqs_record::origin& from,
                                                               bytes_view body, const std::string& group_id) {
    storage::outgoing_message out;
    out.attributes.push_back({std::string(attribute_name), "Number", "1"});
    const std::size_t around = storage::sqs::size_of(out);
    if (how_.message_bytes <= around) return std::nullopt;
    auto text = sqs_record::encode(header, from, body, how_.message_bytes - around);
    if (!text) return std::nullopt;
    out.body = std::move(*text);
    if (queue.fifo()) {
        // Records of one object keep their order; all others may be delivered side by side.
        out.group_id =
            group_id.empty() ? http::to_hex(http::sha256(storage::hash(header.to) + header.key)) : group_id;
        out.deduplication_id = http::random_hex(x_.random, 16);
    }
    return out;
}

task<result<>> sqs_spool::to_disk(std::span<const spool_entry* const> entries, bool dead) {
    std::vector<spool_entry> copies;
    for (const auto* one : entries) copies.push_back(*one);
    result<> kept;
    if (!copies.empty() && dead) kept = co_await with_.disk->park(copies);
    if (!copies.empty() && !dead) kept = co_await with_.disk->append(copies);
    co_return kept;
}

void sqs_spool::note_outage(const error& why) {
    queue_rests_until_ = x_.time.now() + how_.outage_pause;
    if (std::exchange(outage_, true)) return;
    x_.log.warning("the spool's queue fails; records are kept on the disk until it works again",
                   {{"queue", with_.queue->name()}, {"reason", why.context()}});
}

task<result<>> sqs_spool::append(std::span<const spool_entry> entries) {
    const change mark(*this);
    std::vector<const spool_entry*> for_disk;
    std::vector<const spool_entry*> for_queue;
    std::vector<storage::outgoing_message> messages;
    const bool resting = x_.time.now() < queue_rests_until_;
    const sqs_record::origin from{run_, x_.time.wall_now()};
    std::uint64_t too_large = 0;
    for (const auto& one : entries) {
        auto message =
            resting || one.file ? std::nullopt : message_of(*with_.queue, one.header, from, one.body, {});
        if (!message) {
            if (!resting) ++too_large;
            for_disk.push_back(&one);
            continue;
        }
        if (!with_.queue->fifo()) message->delay = until(one.header.next_at, longest_delay);
        messages.push_back(std::move(*message));
        for_queue.push_back(&one);
    }
    if (!messages.empty()) {
        const auto answers = co_await with_.queue->send(messages, deadline());
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (answers[i].has_value()) {
                ++in_queue_;
                continue;
            }
            for_disk.push_back(for_queue[i]);
            if (answers[i].error().what() == disposition::park)
                ++too_large;  // whatever else it dislikes about this one, the others are fine
            else
                note_outage(answers[i].error());
        }
        if (x_.time.now() >= queue_rests_until_) outage_ = false;
    }
    if (too_large > 0) {
        x_.count["spool_too_large_for_queue"] += too_large;
        x_.log.warning("records that are too large for the queue are kept on the disk",
                       {{"queue", with_.queue->name()}, {"records", too_large}});
    }
    x_.count["spool_kept_on_disk"] += for_disk.size();
    co_return co_await to_disk(for_disk, false);
}

task<result<>> sqs_spool::park(std::span<const spool_entry> entries) {
    std::vector<const spool_entry*> for_disk;
    std::vector<const spool_entry*> for_queue;
    std::vector<storage::outgoing_message> messages;
    const sqs_record::origin from{run_, x_.time.wall_now()};
    for (const auto& one : entries) {
        auto message = with_.dead_letters && !one.file
                           ? message_of(*with_.dead_letters, one.header, from, one.body, {})
                           : std::nullopt;
        if (!message) {
            for_disk.push_back(&one);
            continue;
        }
        messages.push_back(std::move(*message));
        for_queue.push_back(&one);
    }
    if (!messages.empty()) {
        const auto answers = co_await with_.dead_letters->send(messages, deadline());
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (answers[i].has_value()) {
                ++in_dead_letters_;
                continue;
            }
            for_disk.push_back(for_queue[i]);
            x_.log.warning("the queue for dead letters does not take one; it is kept on the disk",
                           {{"queue", with_.dead_letters->name()}, {"reason", answers[i].error().context()}});
        }
    }
    co_return co_await to_disk(for_disk, true);
}

void sqs_spool::sort_out(haul& into, storage::received_message message, const lease_query& which) {
    auto record = sqs_record::decode(message.body);
    if (record.has_error()) {
        ++x_.count["spool_foreign_messages"];
        x_.log.warning("a message in the spool's queue is left alone",
                       {{"queue", with_.queue->name()},
                        {"message_id", message.id},
                        {"reason", record.error().context()}});
        into.foreign.push_back({std::move(message.receipt), foreign_pause});
        return;
    }
    if (const auto ours = leased_ids_.find(message.id); ours != leased_ids_.end()) {
        // Its visibility had ended while it is being delivered here: we hold on to it, by the new receipt.
        ++x_.count["spool_leases_late"];
        auto& lease = leases_.at(ours->second);
        lease.receipt = std::move(message.receipt);
        lease.received = x_.time.now();
        lease.hidden_until = lease.received + how_.visibility;
        return;
    }
    held one;
    one.message_id = std::move(message.id);
    one.receipt = std::move(message.receipt);
    one.group_id = std::move(message.group_id);
    one.from = std::move(record->from);
    one.header = std::move(record->header);
    one.backing = std::move(record->backing);
    one.size = record->size;
    one.received = x_.time.now();
    one.hidden_until = one.received + how_.visibility;
    if (!with_.queue->fifo()) one.header.attempts += message.receives - 1;

    const auto now = x_.time.wall_now();
    const auto next_at = one.header.next_at;
    if (is_once(which) && one.from.touched_at >= which.untouched_since) {
        ++into.touched;
        into.passed_over.push_back({std::move(one), 0s});
    } else if (next_at > std::max(which.due_before, now)) {
        into.passed_over.push_back({std::move(one), until(next_at, longest_visibility)});
    } else if (which.skip && which.skip(one.header.to)) {
        auto pause = 0s;
        if (is_once(which) && !with_.queue->fifo())
            one.from.touched_at = now;
        else
            pause = std::max(how_.skip_pause, until(next_at, longest_visibility));
        into.passed_over.push_back({std::move(one), pause});
    } else {
        into.taken.push_back(std::move(one));
    }
}

task<result<sqs_spool::haul>> sqs_spool::look(const lease_query& which, unsigned most,
                                              std::chrono::seconds wait, std::size_t bytes) {
    storage::receive_options how;
    how.most = most;
    how.wait = wait;
    how.visibility = how_.visibility;
    auto got = co_await with_.queue->receive(how, deadline() + wait);
    if (got.has_error()) co_return got.error();
    haul out;
    out.seen = got->size();
    for (auto& message : *got) sort_out(out, std::move(message), which);
    if (!out.taken.empty()) {
        typical_body_ = 1;
        for (const auto& one : out.taken) typical_body_ = std::max(typical_body_, one.size);
    }
    // Sizes are known only now: what is more than was asked for goes back, all but a first record.
    std::size_t used = 0;
    auto it = out.taken.begin();
    if (bytes == which.max_bytes && it != out.taken.end()) used += (it++)->size;
    while (it != out.taken.end() && used + it->size <= bytes) used += (it++)->size;
    for (auto rest = it; rest != out.taken.end(); ++rest) out.passed_over.push_back({std::move(*rest), 0s});
    out.taken.erase(it, out.taken.end());
    if (!out.foreign.empty()) {
        // A failure leaves them visible again a little earlier.
        const auto hidden = co_await with_.queue->hide(out.foreign, deadline());
    }
    co_return std::move(out);
}

task<result<std::vector<leased_record>>> sqs_spool::lease(const lease_query& which) {
    auto kept = co_await with_.disk->lease(which);
    if (kept.has_error())
        x_.log.error("what is kept on the disk cannot be read", {{"reason", kept.error().context()}});
    if (kept.has_value() && !kept->empty()) {
        for (auto& one : *kept) one.lease |= on_disk;
        co_return kept;
    }
    std::vector<held> taken;
    std::size_t bytes_left = which.max_bytes;
    unsigned barren = 0, touched = 0;
    const unsigned most_barren = is_once(which) ? how_.looks_per_pass : how_.looks_per_lease;
    while (taken.size() < which.max_records && barren < most_barren && touched < looks_at_touched) {
        const std::size_t room =
            taken.empty() ? std::max<std::size_t>(1, bytes_left / typical_body_) : bytes_left / typical_body_;
        if (room == 0) break;
        const auto most = std::min<std::size_t>({room, which.max_records - taken.size(), 10});
        const auto wait = taken.empty() ? how_.wait : 0s;
        auto got = co_await look(which, static_cast<unsigned>(most), wait, bytes_left);
        if (got.has_error()) {
            if (taken.empty()) co_return got.error();
            break;
        }
        if (got->seen == 0) break;
        barren = got->taken.empty() ? barren + 1 : 0;
        touched = got->touched == got->seen ? touched + 1 : 0;
        for (auto& one : got->taken) {
            bytes_left -= std::min(bytes_left, one.size);
            taken.push_back(std::move(one));
        }
        co_await give_back(std::move(got->passed_over));
    }
    if (taken.empty()) co_await refresh_counts();
    std::vector<leased_record> out;
    for (auto& one : taken) {
        leased_record made;
        made.lease = next_lease_++;
        made.header = one.header;
        made.backing = one.backing;
        made.body = bytes_view(one.backing.get(), one.size);
        made.from_earlier_run = one.from.run != run_;
        leased_ids_.emplace(one.message_id, made.lease);
        leases_.emplace(made.lease, std::move(one));
        out.push_back(std::move(made));
    }
    co_return std::move(out);
}

task<> sqs_spool::give_back(std::vector<put_back> all) {
    std::vector<std::string> done;
    if (with_.queue->fifo()) {
        std::vector<storage::visibility_change> changes;
        for (auto& one : all) changes.push_back({std::move(one.what.receipt), one.delay});
        if (!changes.empty()) {
            // A failure leaves them where they are until their visibility ends.
            const auto hidden = co_await with_.queue->hide(changes, deadline());
        }
        co_return;
    }
    std::vector<storage::outgoing_message> messages;
    std::vector<std::string> receipts;
    for (auto& one : all) {
        const bytes_view body(one.what.backing.get(), one.what.size);
        auto message = message_of(*with_.queue, one.what.header, one.what.from, body, one.what.group_id);
        if (!message) continue;  // comes back when its visibility ends
        message->delay = std::min(one.delay, longest_delay);
        messages.push_back(std::move(*message));
        receipts.push_back(std::move(one.what.receipt));
    }
    if (messages.empty()) co_return;
    const auto sent = co_await with_.queue->send(messages, deadline());
    for (std::size_t i = 0; i < sent.size(); ++i)
        if (sent[i].has_value()) done.push_back(std::move(receipts[i]));
    if (done.empty()) co_return;
    const auto removed = co_await with_.queue->remove(done, deadline());
    for (const auto& one : removed)
        if (one.has_error()) ++x_.count["spool_doubled_messages"];
}

task<> sqs_spool::refresh_counts() {
    // Between our own changes we know better; what others do shows the next time.
    if (under_way_ > 0) co_return;
    const auto before = changes_;
    const auto about = co_await with_.queue->attributes(deadline());
    if (about.has_value() && changes_ == before) in_queue_ = about->records();
    if (!with_.dead_letters) co_return;
    const auto dead = co_await with_.dead_letters->attributes(deadline());
    if (dead.has_value()) in_dead_letters_ = dead->records();
}

task<> sqs_spool::hold_leases() {
    const std::chrono::milliseconds step = std::chrono::milliseconds(how_.visibility) / 3;
    for (;;) {
        const auto wake = x_.time.now() + step;
        co_await x_.time.sleep_until(wake);
        const auto now = x_.time.now();
        std::vector<lease_id> which;
        std::vector<storage::visibility_change> changes;
        for (const auto& [id, one] : leases_) {
            const auto left =
                longest_visibility - std::chrono::ceil<std::chrono::seconds>(now - one.received);
            if (one.hidden_until - now > 2 * step || left <= 1s) continue;
            which.push_back(id);
            changes.push_back({one.receipt, std::min(how_.visibility, left - 1s)});
        }
        if (changes.empty()) continue;
        const auto done = co_await with_.queue->hide(changes, now + 2 * step);
        for (std::size_t i = 0; i < done.size(); ++i) {
            const auto still = leases_.find(which[i]);
            if (still == leases_.end()) continue;
            if (done[i].has_value())
                still->second.hidden_until = now + changes[i].visibility;
            else
                ++x_.count["spool_leases_not_extended"];
        }
    }
}

task<result<>> sqs_spool::delete_message(const held& what) {
    auto gone = co_await removing_.submit(what.receipt);
    if (gone.has_value()) {
        take_away(in_queue_, 1);
        co_return gone;
    }
    if (gone.error().provider_code() != "ReceiptHandleIsInvalid") co_return gone;
    // Too late: somebody else has it, or had it.
    ++x_.count["spool_late_deletes"];
    co_return result<>();
}

task<result<>> sqs_spool::send_again(const held& what) {
    if (x_.time.now() >= what.hidden_until) {
        // Somebody else has it by now, or will: another copy would only multiply it.
        ++x_.count["spool_leases_lost"];
        co_return result<>();
    }
    const bytes_view body(what.backing.get(), what.size);
    auto message = message_of(*with_.queue, what.header, what.from, body, what.group_id);
    if (message) {
        if (!with_.queue->fifo()) message->delay = until(what.header.next_at, longest_delay);
        auto sent = co_await sending_.submit(std::move(*message));
        if (sent.has_error()) co_return sent.error();
        ++in_queue_;
    } else {
        // Only what was written about it can have made it larger.
        spool_entry entry;
        entry.header = what.header;
        entry.body = body;
        std::vector<const spool_entry*> one(1, &entry);
        auto kept = co_await to_disk(one, false);
        if (kept.has_error()) co_return kept;
        ++x_.count["spool_kept_on_disk"];
    }
    auto gone = co_await delete_message(what);
    // The record is safe; the old message is a repeat of it.
    if (gone.has_error()) ++x_.count["spool_doubled_messages"];
    co_return result<>();
}

task<result<>> sqs_spool::settle_parked(held what, failure why) {
    spool_entry entry;
    entry.header = what.header;
    ++entry.header.attempts;
    entry.header.last_error = std::move(why);
    entry.body = bytes_view(what.backing.get(), what.size);
    const std::vector<spool_entry> one(1, entry);
    // First there, then gone here: a crash in between leaves both, never none.
    auto kept = co_await park(one);
    if (kept.has_error()) co_return kept;
    co_return co_await delete_message(what);
}

task<result<>> sqs_spool::settle_in_queue(held what, settlement how) {
    if (std::holds_alternative<delivered>(how)) co_return co_await delete_message(what);
    if (auto* const why = std::get_if<parked>(&how))
        co_return co_await settle_parked(std::move(what), std::move(why->why));
    if (auto* const again = std::get_if<failed>(&how)) {
        what.header.attempts = again->attempts;
        what.header.next_at = again->next_at;
        what.header.last_error = std::move(again->why);
        what.from.touched_at = x_.time.wall_now();
        co_return co_await send_again(what);
    }
    if (!with_.queue->fifo()) co_return co_await send_again(what);
    const std::vector<storage::visibility_change> back(1, {what.receipt, 0s});
    const auto hidden = co_await with_.queue->hide(back, deadline());
    co_return hidden.front();
}

task<result<>> sqs_spool::settle(lease_id lease, const settlement& what) {
    if ((lease & on_disk) != 0) co_return co_await with_.disk->settle(lease & ~on_disk, what);
    const auto found = leases_.find(lease);
    if (found == leases_.end())
        co_return error(disposition::park, "the spool knows no lease " + std::to_string(lease));
    const change mark(*this);
    auto mine = found->second;
    auto done = co_await settle_in_queue(std::move(mine), what);
    // Whatever came of it: kept, it would be hidden from everybody as long as this process lives.
    leased_ids_.erase(leases_.at(lease).message_id);
    leases_.erase(lease);
    co_return done;
}

std::vector<backlog> sqs_spool::contents() const {
    auto rows = with_.disk->contents();
    if (in_queue_ == 0 && in_dead_letters_ == 0) return rows;
    backlog row;
    row.whole_queue = true;
    row.to.service = "sqs";
    row.to.type = "sqs";
    row.to.bucket = with_.queue->name();
    row.records = in_queue_;
    row.parked = in_dead_letters_;
    rows.push_back(std::move(row));
    return rows;
}

}  // namespace firehose::stages
