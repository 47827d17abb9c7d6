#include "stages/event_log.hpp"

#include "pipeline/blocking.hpp"
#include "storage/crc32c.hpp"

#include <algorithm>
#include <charconv>

namespace firehose::stages {
namespace {

constexpr std::uint16_t block_type = 1;
constexpr std::uint16_t end_mark_type = 2;  // takes a position, so that none is given twice
constexpr std::string_view cursor_name = "delivered";

error answered(int status, std::string code, std::string text) {
    error_details d;
    d.status = status;
    d.provider_code = std::move(code);
    d.context = std::move(text);
    return {disposition::retry, std::move(d)};
}

/// The file of the cursor: the number and a checksum over it.
std::string cursor_text(log_position at) {
    const auto number = std::to_string(at);
    return number + " " + std::to_string(storage::crc32c(as_bytes(number))) + "\n";
}

std::optional<log_position> parse_cursor(std::string_view text) {
    log_position at = 0;
    const auto* const end = text.data() + text.size();
    if (std::from_chars(text.data(), end, at).ec != std::errc()) return std::nullopt;
    return cursor_text(at) == text ? std::optional(at) : std::nullopt;
}

}  // namespace

/// A key whose first request is under way.
class event_log::busy_key {
public:
    busy_key(event_log& of, const std::optional<http::sha256_value>& key) : of_(of), key_(key) {
        if (key_) of_.busy_keys_.insert(*key_);
    }
    busy_key(const busy_key&) = delete;
    ~busy_key() {
        if (key_) of_.busy_keys_.erase(*key_);
    }

private:
    event_log& of_;
    std::optional<http::sha256_value> key_;
};

/// An append under way, by its stamp.
class event_log::stamped {
public:
    explicit stamped(event_log& of) : of_(of), at_(of.appending_.insert(of.stamp_)) {}
    stamped(const stamped&) = delete;
    ~stamped() { of_.appending_.erase(at_); }

private:
    event_log& of_;
    std::multiset<routing_stamp>::iterator at_;
};

std::optional<routing_stamp> event_log::appending() const {
    if (appending_.empty()) return std::nullopt;
    return *appending_.begin();
}

event_log::event_log(context& x, storage::file_system& fs, std::filesystem::path root, event_log_options how)
    : x_(x),
      fs_(fs),
      root_(std::move(root)),
      how_(how),
      grown_(x.ex),
      saving_(x.ex, 1),
      opened_(x.time.wall_now()) {}

task<result<std::unique_ptr<event_log>>>
event_log::open(context& x, storage::file_system& fs, std::filesystem::path data_dir, event_log_options how) {
    std::unique_ptr<event_log> made(new event_log(x, fs, data_dir / "events", how));
    auto take = [&]() -> result<std::unique_ptr<storage::file>> {
        auto ready = storage::make_directories(fs, data_dir);
        if (ready.has_value()) ready = storage::make_directories(fs, data_dir, "events");
        if (ready.has_error()) return ready.error();
        return storage::lock_directory(fs, made->root_);
    };
    auto locked = co_await run_blocking(x.blocking, std::move(take));
    if (locked.has_error()) co_return locked.error();
    made->lock_ = std::move(*locked);
    storage::journal_options journal;
    journal.segment_bytes = how.segment_bytes;
    journal.max_payload = 1u << 30;
    journal.index_every = 64u << 10;  // many readers, each at a position of its own
    storage::record_visitor visit = [&log = *made](const storage::recovered_record& r) { log.visit(r); };
    auto opened = co_await storage::journal::open(x, fs, made->root_ / "journal", journal, std::move(visit));
    if (opened.has_error()) co_return opened.error();
    made->journal_ = std::move(*opened);
    made->forget_old_keys();
    auto cursor = co_await made->read_delivered();
    if (cursor.has_error()) co_return cursor.error();
    co_return made;
}

/// On the blocking pool, before anything else uses the log.
void event_log::visit(const storage::recovered_record& r) {
    last_is_mark_ = r.type == end_mark_type;
    if (r.type != block_type) return;
    const auto block = decode_log_block(r.payload);
    if (block) last_stamp_ = std::max(last_stamp_, block->stamp);
    if (!block || !block->key || block->accepted + how_.key_window < opened_) return;
    remembered what;
    what.digest = block->digest;
    what.first = r.where.first;
    what.count = static_cast<std::uint32_t>(block->events.size());
    what.when = block->accepted;
    remember(*block->key, what);
}

void event_log::remember(const http::sha256_value& key, remembered what) {
    if (keys_.insert_or_assign(key, what).second) key_order_.push_back(key);
    while (key_order_.size() > how_.most_keys) {
        keys_.erase(key_order_.front());
        key_order_.pop_front();
    }
}

void event_log::forget_old_keys() {
    const auto now = x_.time.wall_now();
    while (!key_order_.empty() && keys_.at(key_order_.front()).when + how_.key_window < now) {
        keys_.erase(key_order_.front());
        key_order_.pop_front();
    }
}

task<result<>> event_log::read_delivered() {
    const auto path = root_ / cursor_name;
    auto work = [&]() -> result<std::string> {
        auto opened = storage::uninterrupted([&] { return fs_.open(path, storage::open_how::read); });
        if (opened.has_error()) return opened.error();
        std::array<std::byte, 64> bytes;
        auto got = storage::read_fully(**opened, bytes, 0);
        if (got.has_error()) return got.error();
        return std::string(as_text(bytes_view(bytes).first(*got)));
    };
    auto text = co_await run_blocking(x_.blocking, std::move(work));
    const bool absent = text.has_error() && storage::is_errno(text.error(), ENOENT);
    const auto at = text.has_value() ? parse_cursor(*text) : std::nullopt;
    // Beyond the end it belongs to another log, whose files are gone.
    const bool usable = at && *at <= end();
    delivered_ = std::max(usable ? *at : 1, begin());
    saved_ = usable ? *at : 0;
    if (!usable && !(absent && end() == 1))
        x_.log.warning(
            "what is delivered is not known, so the whole log is delivered again, under the same keys",
            {{"file", path.native()}, {"events", end() - delivered_}});
    co_return result<>();
}

task<result<log_receipt>> event_log::append(log_append what) {
    forget_old_keys();
    if (what.key && busy_keys_.contains(*what.key))
        co_return answered(409, "key_in_use", "a request with this Idempotency-Key is under way");
    if (what.key) {
        const auto known = keys_.find(*what.key);
        if (known != keys_.end() && known->second.digest != what.digest)
            co_return answered(422, "key_reused", "this Idempotency-Key came before with other events");
        if (known != keys_.end()) {
            log_receipt again;
            again.first = known->second.first;
            again.count = known->second.count;
            again.replayed = true;
            co_return again;
        }
    }
    if (how_.max_bytes != 0 && bytes() + what.bytes.size() > how_.max_bytes)
        co_return answered(503, "log_full", "the event log has reached its configured size");
    const busy_key busy(*this, what.key);
    const auto now = x_.time.wall_now();
    const stamped here(*this);
    const std::string payload = encode_log_block(what, now, stamp_);
    storage::journal_input input;
    input.type = block_type;
    input.count = static_cast<std::uint32_t>(what.lengths.size());
    input.body = as_bytes(payload);
    const auto inputs = std::span<const storage::journal_input>(&input, 1);
    auto appended = co_await journal_->append(inputs);
    if (appended.has_error()) {
        x_.log.error("events were not accepted", {{"reason", appended.error().context()}});
        co_return answered(503, "not_durable", "the events cannot be made durable at the moment");
    }
    last_is_mark_ = false;
    log_receipt out;
    out.first = appended->front().first;
    out.count = input.count;
    if (what.key) {
        remembered entry;
        entry.digest = what.digest;
        entry.first = out.first;
        entry.count = out.count;
        entry.when = now;
        remember(*what.key, entry);
    }
    grown_.wake_all();
    co_return out;
}

task<result<std::vector<log_block>>> event_log::read(log_position from, std::size_t max_bytes) {
    std::vector<log_block> out;
    while (out.empty()) {
        auto records = co_await journal_->read_from(from, max_bytes);
        if (records.has_error()) co_return records.error();
        if (records->empty()) break;
        for (auto& record : *records) {
            from = record.where.first + std::max(1U, record.count);
            if (record.type != block_type) continue;
            auto block = decode_log_block(record.payload);
            if (!block) {
                ++x_.count["event_log_unreadable_blocks"];
                continue;
            }
            block->first = record.where.first;
            block->backing = std::move(record.backing);
            out.push_back(std::move(*block));
        }
    }
    co_return out;
}

task<> event_log::grown(log_position from) {
    while (end() <= from) co_await grown_.async_wait(use_task);
}

void event_log::set_delivered(log_position upto) { delivered_ = std::max(delivered_, upto); }

task<> event_log::save_delivered() {
    const permit mine = co_await saving_.acquire();
    const auto at = delivered_;
    if (at == saved_) co_return;
    const auto text = cursor_text(at);
    auto work = [&] { return storage::replace_file(fs_, root_ / cursor_name, as_bytes(text)); };
    auto done = co_await run_blocking(x_.blocking, std::move(work));
    if (done.has_value())
        saved_ = at;
    else
        ++x_.count["event_log_failed_cursor_writes"];
}

/// Everything in a segment is older than what follows it.
bool event_log::is_old(const std::vector<storage::segment_info>& all, std::size_t i) const {
    return i + 1 < all.size() && all[i + 1].created + how_.retention <= x_.time.wall_now();
}

/// Lets the last events go too: a new segment, which keeps their positions from being given again.
task<result<>> event_log::mark_end() {
    auto sealed = co_await journal_->seal();
    if (sealed.has_error()) co_return sealed;
    storage::journal_input input;
    input.type = end_mark_type;
    const auto inputs = std::span<const storage::journal_input>(&input, 1);
    auto appended = co_await journal_->append(inputs);
    if (appended.has_error()) co_return appended.error();
    last_is_mark_ = true;
    if (delivered_ == appended->front().first) set_delivered(appended->front().first + 1);
    grown_.wake_all();
    co_return result<>();
}

task<result<>> event_log::trim() {
    auto all = journal_->segments();
    const auto now = x_.time.wall_now();
    // A segment that grows for longer would keep its first events for too long.
    const auto longest = how_.retention / 24;
    if (!all.empty() && !last_is_mark_ && all.back().created + longest <= now) {
        auto marked = co_await mark_end();
        if (marked.has_error()) co_return marked;
        all = journal_->segments();
    }
    log_position keep_from = begin();
    for (std::size_t i = 0; i < all.size() && is_old(all, i) && all[i].end <= delivered_; ++i)
        keep_from = all[i].end;
    co_return co_await journal_->remove_before(keep_from);
}

task<> event_log::keep_trimmed() {
    for (;;) {
        auto done = co_await trim();
        if (done.has_error()) x_.log.warning("old events stay", {{"reason", done.error().context()}});
        const auto next = x_.time.now() + std::chrono::minutes(1);
        co_await x_.time.sleep_until(next);
    }
}

std::uint64_t event_log::bytes() const {
    std::uint64_t total = 0;
    for (const auto& one : journal_->segments()) total += one.size;
    return total;
}

std::uint64_t event_log::overdue_bytes() const {
    const auto all = journal_->segments();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < all.size() && is_old(all, i); ++i)
        if (all[i].end > delivered_) total += all[i].size;
    return total;
}

}  // namespace firehose::stages
