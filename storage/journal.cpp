#include "storage/journal.hpp"

#include "pipeline/blocking.hpp"
#include "storage/journal_commit.hpp"
#include "storage/shield.hpp"

#include <boost/asio/redirect_error.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace firehose::storage {

using namespace journal_format;

namespace {

constexpr std::uint64_t largest_append = 1u << 30;

error refused(std::string why) {
    error_details d;
    d.context = std::move(why);
    d.code = error_code(EMSGSIZE, boost::system::system_category());
    return {disposition::park, std::move(d)};
}

// A failed append in words for the person who has to make room.
error explain(const error& cause, const std::filesystem::path& directory) {
    error_details d = cause.details();
    std::string_view advice = "; the records are not kept, later appends go to a new file";
    if (is_errno(cause, ENOSPC) || is_errno(cause, EDQUOT))
        advice = "; the disk is full: make room, appends then work again by themselves";
    if (is_errno(cause, EMFILE) || is_errno(cause, ENFILE))
        advice = "; too many open files: raise the limit (ulimit -n)";
    d.context = "cannot append to " + directory.native() + ": " + d.context + std::string(advice);
    return {disposition::retry, std::move(d)};
}

[[noreturn]] void throw_cancelled() {
    throw boost::system::system_error(asio::error::operation_aborted, "append withdrawn");
}

}  // namespace

// Held by whoever writes or unlinks; the next one is woken when it ends, also by an exception.
struct journal::busy_mark {
    explicit busy_mark(journal& of) : of_(of) { of_.busy_ = true; }
    busy_mark(const busy_mark&) = delete;
    ~busy_mark() {
        of_.busy_ = false;
        of_.changed_.wake_all();
    }
    journal& of_;
};

// The bytes of a request are its appender's: once that is gone, nobody may come to carry it out.
struct journal::withdrawal {
    std::deque<std::shared_ptr<journal_request>>& from;
    const std::shared_ptr<journal_request>& what;
    ~withdrawal() {
        if (!what->taken) std::erase(from, what);
    }
};

journal::journal(context& x, file_system& fs, std::filesystem::path directory, journal_options options)
    : x_(x),
      fs_(fs),
      directory_(std::move(directory)),
      options_(options),
      index_(options.index_every),
      changed_(x.ex) {}

task<result<std::unique_ptr<journal>>> journal::open(context& x, file_system& fs,
                                                     std::filesystem::path directory, journal_options options,
                                                     record_visitor visit) {
    recovery_hooks none;
    auto opening = open(x, fs, std::move(directory), options, std::move(visit), std::move(none));
    co_return co_await std::move(opening);
}

task<result<std::unique_ptr<journal>>> journal::open(context& x, file_system& fs,
                                                     std::filesystem::path directory, journal_options options,
                                                     record_visitor visit, recovery_hooks hooks) {
    options.segment_bytes = std::min<std::uint64_t>(options.segment_bytes, 2u << 30);
    std::unique_ptr<journal> made(new journal(x, fs, std::move(directory), options));
    recovery_options how;
    how.max_payload = options.max_payload;
    how.hooks = std::move(hooks);
    auto work = [&]() -> result<recovery> {
        const auto& where = made->directory_;
        auto ready = make_directories(fs, where.parent_path(), where.filename());
        if (ready.has_error()) return ready.error();
        const record_visitor see = [&](const recovered_record& r) {
            made->index_.add(r.where);
            visit(r);
        };
        return recover_journal(fs, made->directory_, how, see);
    };
    auto found = co_await run_blocking(x.blocking, std::move(work));
    if (found.has_error()) co_return found.error();
    made->recovered_ = found->counts;
    made->next_ = found->next;
    made->sealed_.assign(found->segments.begin(), found->segments.end());
    for (const segment_info& one : made->sealed_) made->sealed_bytes_ += one.size;
    x.count["journal_torn_bytes"] += found->counts.torn_bytes;
    x.count["journal_damaged_ranges"] += found->counts.damaged_ranges;
    x.count["journal_damaged_bytes"] += found->counts.damaged_bytes;
    x.count["journal_unreadable_files"] += found->counts.unreadable_files;
    x.count["journal_newer_files"] += found->counts.newer_files;
    for (const std::string& note : found->notes) x.log.warning("journal recovery", {{"found", note}});
    co_return std::move(made);
}

result<std::shared_ptr<journal_request>> journal::make_request(std::span<const journal_input> records,
                                                               durability how) const {
    auto made = std::make_shared<journal_request>();
    made->how = how;
    std::uint64_t total = 0;
    std::size_t fronts = 0;
    for (const journal_input& one : records) {
        const std::uint64_t length = one.head.size() + one.body.size();
        if (length > options_.max_payload)
            return refused("a record of " + std::to_string(length) + " bytes is over the limit of " +
                           std::to_string(options_.max_payload) + " for " + directory_.native());
        total += record_header_size + length;
        fronts += record_header_size + one.head.size();
    }
    if (total > largest_append) return refused("more than 1 GiB in one append to " + directory_.native());
    made->size = total;
    made->fronts.reserve(fronts);
    made->parts.reserve(records.size());
    for (const journal_input& one : records) {
        journal_request::part part;
        part.offset = made->fronts.size();
        part.front = record_header_size + one.head.size();
        part.body = one.body;
        part.header.length = static_cast<std::uint32_t>(one.head.size() + one.body.size());
        part.header.type = one.type;
        part.header.count = one.count;
        made->fronts.resize(part.offset + record_header_size);
        made->fronts.insert(made->fronts.end(), one.head.begin(), one.head.end());
        made->parts.push_back(part);
    }
    return made;
}

task<result<std::vector<record_location>>> journal::append(std::span<const journal_input> records,
                                                           durability how) {
    if (records.empty()) co_return std::vector<record_location>();
    auto made = make_request(records, how);
    if (made.has_error()) co_return made.error();
    const std::shared_ptr<journal_request> mine = *made;
    const withdrawal at_the_end{pending_, mine};
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancellable = co_await begin_shield();
    bool withdrawn = cancellable && state.cancelled() != asio::cancellation_type::none;
    if (!withdrawn) pending_.push_back(mine);
    while (!mine->finished && !withdrawn) {
        if (!busy_) {
            co_await commit_round();
            continue;
        }
        error_code ec;
        auto quiet = asio::redirect_error(use_task, ec);
        co_await changed_.async_wait(quiet);
        if (ec && cancellable && !mine->taken) {
            std::erase(pending_, mine);
            withdrawn = true;
        }
    }
    co_await end_shield(cancellable);
    if (withdrawn) throw_cancelled();
    if (mine->failure) co_return explain(*mine->failure, directory_);
    co_return std::move(mine->where);
}

journal_commit journal::take_requests() {
    journal_commit out;
    std::uint64_t bytes = 0;
    while (!pending_.empty() &&
           (out.requests.empty() || bytes + pending_.front()->size <= options_.max_commit_bytes)) {
        bytes += pending_.front()->size;
        pending_.front()->taken = true;
        out.requests.push_back(std::move(pending_.front()));
        pending_.pop_front();
    }
    out.segment = std::move(current_);
    out.next = next_;
    out.now = x_.time.wall_now();
    std::array<std::byte, 4> salt;
    x_.random.fill(salt);
    out.salt = get_number<std::uint32_t>(salt.data());
    return out;
}

task<> journal::commit_round() {
    const busy_mark mark(*this);
    co_await asio::post(x_.ex, use_task);  // let those join who append in the same moment
    auto commit = take_requests();
    if (commit.requests.empty()) {
        current_ = std::move(commit.segment);
        co_return;
    }
    auto work = [this, &commit] { run_commit(fs_, directory_, options_, commit); };
    co_await run_blocking(x_.blocking, std::move(work));
    finish_commit(commit);
}

void journal::finish_commit(journal_commit& done) {
    next_ = done.next;
    current_ = std::move(done.segment);
    const bool same = current_ && current_->info.name == current_info_.name;
    if (!same) close_current();
    if (current_) current_info_ = current_->info;
    for (const auto& request : done.requests) {
        if (!done.failure)
            for (const auto& where : request->where) index_.add(where);
        request->failure = done.failure;
        request->finished = true;
    }
    if (done.failure) ++x_.count["journal_failed_commits"];
}

sequence journal::first_sequence() const noexcept {
    if (!sealed_.empty()) return sealed_.front().name.first;
    return current_info_.end != 0 ? current_info_.name.first : next_;
}

void journal::close_current() {
    const segment_info closed = std::exchange(current_info_, {});
    if (closed.end <= closed.name.first) return;
    sealed_.push_back(closed);
    sealed_bytes_ += closed.size;
}

std::vector<segment_info> journal::segments() const {
    std::vector<segment_info> all(sealed_.begin(), sealed_.end());
    if (current_info_.end != 0) all.push_back(current_info_);
    return all;
}

std::size_t journal::segment_count() const noexcept {
    return sealed_.size() + (current_info_.end != 0 ? 1 : 0);
}

std::optional<segment_info> journal::oldest_segment() const {
    if (!sealed_.empty()) return sealed_.front();
    if (current_info_.end != 0) return current_info_;
    return std::nullopt;
}

bool journal::removable(sequence keep_from) const {
    const auto oldest = oldest_segment();
    return oldest && oldest->end <= keep_from;
}

// False: cancelled. Never called while a commit of this coroutine runs.
task<bool> journal::wait_until_idle() {
    while (busy_) {
        error_code ec;
        auto quiet = asio::redirect_error(use_task, ec);
        co_await changed_.async_wait(quiet);
        if (ec) co_return false;
    }
    co_return true;
}

task<result<>> journal::seal() {
    const bool idle = co_await wait_until_idle();
    if (!idle) throw_cancelled();
    if (!current_) co_return result<>();
    const busy_mark mark(*this);
    auto closing = std::move(current_);
    close_current();
    auto work = [&closing] { closing.reset(); };
    co_await run_blocking(x_.blocking, std::move(work));
    co_return result<>();
}

task<result<>> journal::remove_before(sequence keep_from) {
    while (removable(keep_from)) {
        const bool idle = co_await wait_until_idle();
        if (!idle) throw_cancelled();
        if (!removable(keep_from)) break;
        const busy_mark mark(*this);
        const segment_info oldest = *oldest_segment();
        const bool is_current = current_info_.end != 0 && oldest.name == current_info_.name;
        auto closing = is_current ? std::move(current_) : nullptr;
        if (is_current) current_info_ = {};
        if (!is_current) {
            sealed_.pop_front();
            sealed_bytes_ -= oldest.size;
        }
        auto work = [this, &oldest, &closing]() -> result<> {
            closing.reset();
            const auto path = directory_ / to_file_name(oldest.name);
            auto gone = oldest.has_damage
                            ? fs_.rename(path, directory_ / "quarantine" / to_file_name(oldest.name))
                            : fs_.remove(path);
            if (gone.has_error() && !is_errno(gone.error(), ENOENT)) return gone;
            return fs_.sync_directory(directory_);
        };
        auto done = co_await run_blocking(x_.blocking, std::move(work));
        if (done.has_error()) {
            sealed_.push_front(oldest);  // tried again next time
            sealed_bytes_ += oldest.size;
            co_return done;
        }
        index_.forget(oldest.name);
    }
    co_return result<>();
}

namespace {

// Who has the lock, for the person who meets it; the lock itself is the kernel's.
void sign_lock(file& lock) {
    const std::string text = std::to_string(::getpid()) + "\n";
    const bytes_view part = as_bytes(text);
    auto signed_now = lock.truncate(0);
    if (signed_now.has_value()) (void)write_fully(lock, std::span(&part, 1), 0);
}

std::string owner_of(file& lock) {
    std::array<std::byte, 24> text{};
    const auto got = read_fully(lock, text, 0);
    if (got.has_error()) return {};
    const auto digits = as_text(bytes_view(text).first(*got));
    const auto end = digits.find_first_not_of("0123456789");
    if (end == 0 || end == std::string_view::npos) return {};
    return " (process " + std::string(digits.substr(0, end)) + ")";
}

}  // namespace

result<std::unique_ptr<file>> lock_directory(file_system& fs, const std::filesystem::path& directory) {
    auto status = fs.status(directory);
    if (status.has_error()) return status.error();
    if (status->kind != entry_kind::directory)
        return error(disposition::stop, directory.native() + " is not a directory");
    if (status->writable_by_others)
        return error(disposition::stop,
                     directory.native() + " can be written to by other users, who could forge events in it: "
                                          "chmod 700 it, or choose another data_dir");
    auto opened = uninterrupted([&] { return fs.open(directory / "lock", open_how::create); });
    if (opened.has_error()) return opened.error();
    auto locked = uninterrupted([&] { return (*opened)->lock(); });
    if (locked.has_value()) {
        sign_lock(**opened);
        return opened;
    }
    if (!is_errno(locked.error(), EWOULDBLOCK)) return locked.error();
    return error(disposition::stop, directory.native() + " is in use by another process" +
                                        owner_of(**opened) +
                                        ": stop that one, or give this one a data_dir of its own");
}

}  // namespace firehose::storage
