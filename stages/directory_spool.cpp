#include "stages/directory_spool.hpp"

#include "pipeline/blocking.hpp"
#include "stages/directory_spool_queue.hpp"
#include "stages/spool_layout.hpp"
#include "storage/shield.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace firehose::stages {

namespace {

std::vector<std::string> files_named(const std::string& name) {
    return name.empty() ? std::vector<std::string>() : std::vector<std::string>(1, name);
}

bool is_damage(const error& e) { return storage::is_errno(e, EBADMSG); }

}  // namespace

directory_spool::directory_spool(context& x, storage::file_system& fs, std::filesystem::path root,
                                 options how)
    : x_(x), fs_(fs), root_(std::move(root)), options_(how), opening_(x.ex, 1) {}

directory_spool::~directory_spool() = default;

task<result<std::unique_ptr<directory_spool>>>
directory_spool::open(context& x, storage::file_system& fs, std::filesystem::path data_dir, options how) {
    std::unique_ptr<directory_spool> made(new directory_spool(x, fs, data_dir / "spool", how));
    auto work = [&fs, &made]() -> result<std::unique_ptr<storage::file>> {
        auto ready = storage::make_directories(fs, made->root_);
        if (ready.has_error()) return ready.error();
        return storage::lock_directory(fs, made->root_);
    };
    auto locked = co_await run_blocking(x.blocking, std::move(work));
    if (locked.has_error()) co_return locked.error();
    made->lock_ = std::move(*locked);
    auto recovered = co_await made->recover();
    if (recovered.has_error()) co_return recovered.error();
    co_return std::move(made);
}

task<result<>> directory_spool::recover() {
    auto work = [this] { return destination_directories(fs_, root_); };
    auto directories = co_await run_blocking(x_.blocking, std::move(work));
    if (directories.has_error()) co_return directories.error();
    for (const auto& one : *directories) {
        auto done = co_await recover_queue(one);
        if (done.has_error()) co_return done;
    }
    co_return result<>();
}

task<result<>> directory_spool::recover_queue(std::filesystem::path directory) {
    auto made = std::make_unique<queue>(x_, fs_, directory, options_);
    auto look = [this, &directory]() -> result<bool> {
        auto status = storage::uninterrupted([&] { return fs_.status(directory / "parked"); });
        if (status.has_value()) return status->kind == storage::entry_kind::directory;
        if (storage::is_errno(status.error(), ENOENT)) return false;
        return status.error();
    };
    auto has_dead_letters = co_await run_blocking(x_.blocking, std::move(look));
    if (has_dead_letters.has_error()) co_return has_dead_letters.error();
    auto opened = co_await made->records.open();
    if (opened.has_error()) co_return opened;
    co_await made->records.trim();
    if (*has_dead_letters) {
        opened = co_await made->dead_letters.open();
        if (opened.has_error()) co_return opened;
        co_await made->dead_letters.trim();
    }
    const bool empty = made->records.index().records() == 0 && made->dead_letters.index().records() == 0;
    if (empty) {
        made.reset();
        auto clean = [this, &directory] { remove_if_empty(fs_, root_, directory); };
        co_await run_blocking(x_.blocking, std::move(clean));
        co_return result<>();
    }
    auto to = made->records.found_destination();
    if (!to) to = made->dead_letters.found_destination();
    if (!to || queues_.contains(*to)) {
        x_.log.warning(
            "a spool directory is passed over: its destination is unknown or has another directory",
            {{"directory", directory.native()}});
        ++x_.count["spool_unknown_directories"];
        co_return result<>();
    }
    made->to = *to;
    queues_.emplace(*to, std::move(made));
    co_return result<>();
}

directory_spool::queue& directory_spool::queue_for(const storage::destination& to) {
    auto& slot = queues_[to];
    if (!slot) {
        slot = std::make_unique<queue>(x_, fs_, root_ / storage::directory_name(to), options_);
        slot->to = to;
    }
    return *slot;
}

task<result<>> directory_spool::ensure_open(queue& q, spool_journal& log) {
    if (log.is_open()) co_return result<>();
    const permit mine = co_await opening_.acquire();
    if (log.is_open()) co_return result<>();
    auto describe = [this, &q]() -> result<> {
        auto ready = storage::make_directories(fs_, root_, q.directory.lexically_relative(root_));
        if (ready.has_error()) return ready;
        const std::string text = spool_record::describe_json(q.to);
        // Only for people: the records say the same, so no failure of this matters.
        (void)storage::replace_file(fs_, q.directory / "destination.json", as_bytes(text));
        return {};
    };
    if (!q.described) {
        auto ready = co_await run_blocking(x_.blocking, std::move(describe));
        if (ready.has_error()) co_return ready;
        q.described = true;
    }
    co_return co_await log.open();
}

task<result<>> directory_spool::append(std::span<const spool_entry> entries) {
    return append_to(&queue::records, entries);
}

task<result<>> directory_spool::park(std::span<const spool_entry> entries) {
    return append_to(&queue::dead_letters, entries);
}

task<result<>> directory_spool::append_to(spool_journal queue::* which,
                                          std::span<const spool_entry> entries) {
    std::map<storage::destination, std::vector<const spool_entry*>> by_destination;
    for (const spool_entry& one : entries) by_destination[one.header.to].push_back(&one);
    for (const auto& one : by_destination) {
        queue& q = queue_for(one.first);
        auto ready = co_await ensure_open(q, q.*which);
        if (ready.has_error()) co_return ready;
    }
    // With one destination the journal decides up to when a cancellation counts. With several, one that came
    // between two of them would leave half.
    const bool several = by_destination.size() > 1;
    bool cancellable = false;
    if (several) cancellable = co_await storage::begin_shield();
    std::vector<placed> done;
    result<> outcome;
    for (auto& one : by_destination) {
        spool_journal& log = queue_for(one.first).*which;
        auto records = co_await log.append(std::move(one.second));
        if (records.has_error()) {
            outcome = records.error();
            break;
        }
        placed here;
        here.in = &log;
        here.what = std::make_unique<spool_journal::appended>(std::move(*records));
        done.push_back(std::move(here));
    }
    if (outcome.has_error()) co_await undo(std::move(done));
    if (several) co_await storage::end_shield(cancellable);
    co_return outcome;
}

// All or none: what the others took is taken back.
task<> directory_spool::undo(std::vector<placed> done) {
    for (placed& one : done) co_await one.in->undo(std::move(*one.what));
}

std::size_t directory_spool::count_from(const std::vector<taken>& picks, const queue* from) {
    return static_cast<std::size_t>(std::ranges::count(picks, from, &taken::from));
}

// Adds to `picks` until they are enough. Says what must be filled in before more can be chosen.
std::optional<directory_spool::unknown> directory_spool::choose(const lease_query& which,
                                                                std::vector<taken>& picks) {
    struct turn {
        queue* from;
        storage::sequence cursor;
        std::size_t taken = 0;
    };
    const storage::sequence start =
        which.newest_first ? std::numeric_limits<storage::sequence>::max() : storage::sequence{0};
    std::vector<turn> turns;
    const auto add = [&](auto begin, auto end) {
        for (auto it = begin; it != end; ++it)
            if (it->second->records.index().records() > 0 && (!which.skip || !which.skip(it->first)))
                turns.push_back({it->second.get(), start, count_from(picks, it->second.get())});
    };
    const auto first = queues_.lower_bound(turn_);
    add(first, queues_.end());
    add(queues_.begin(), first);

    std::optional<unknown> first_unknown;
    std::size_t bytes = 0;
    for (const taken& one : picks) bytes += one.body;
    const auto now = x_.time.wall_now();
    while (!turns.empty()) {
        for (std::size_t i = 0; i < turns.size();) {
            spool_index& index = turns[i].from->records.index();
            spool_index::due due;
            if (turns[i].taken < which.max_of_one)
                due = which.newest_first ? index.last_due(turns[i].cursor, which)
                                         : index.next_due(turns[i].cursor, which);
            if (!due.record) {
                if (due.unfilled && !first_unknown) first_unknown = unknown{turns[i].from, *due.unfilled};
                turns.erase(turns.begin() + static_cast<std::ptrdiff_t>(i));
                continue;
            }
            const storage::sequence record = *due.record;
            const auto about = index.at(record);
            const bool enough = picks.size() >= which.max_records ||
                                (!picks.empty() && bytes + about->body > which.max_bytes);
            if (enough) {
                turn_ = turns[i].from->to;
                return std::nullopt;
            }
            bytes += about->body;
            taken one;
            one.from = turns[i].from;
            one.record = record;
            one.body = about->body;
            one.attempts = about->attempts;
            one.touched_before = index.lease(record, now);
            picks.push_back(std::move(one));
            turns[i].cursor = which.newest_first ? record : record + 1;
            ++turns[i].taken;
            ++i;
        }
    }
    return first_unknown;
}

task<result<std::vector<leased_record>>> directory_spool::lease(const lease_query& which) {
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancellable = co_await storage::begin_shield();
    std::vector<taken> picks;
    auto more = choose(which, picks);
    while (more) {
        co_await more->from->records.fill(more->segment);
        more = choose(which, picks);
    }
    result<std::vector<leased_record>> out = std::vector<leased_record>();
    if (!picks.empty()) out = co_await take(std::move(picks));
    co_await storage::end_shield(cancellable);
    if (cancellable && state.cancelled() != asio::cancellation_type::none && out.has_value() &&
        !out->empty()) {
        // Nobody will settle these.
        for (const leased_record& one : *out) {
            const auto held = leases_.extract(one.lease).mapped();
            held.from->records.index().unlease(held.record, held.touched_before);
        }
        throw boost::system::system_error(asio::error::operation_aborted, "lease");
    }
    co_return out;
}

task<result<std::vector<leased_record>>> directory_spool::take(std::vector<taken> picks) {
    // One read and one note per destination; the answers go back to the order of the turns.
    std::map<queue*, std::vector<std::size_t>> by_queue;
    for (std::size_t i = 0; i < picks.size(); ++i) by_queue[picks[i].from].push_back(i);
    std::vector<leased_record> in_order(picks.size());
    std::optional<error> problem;
    for (const auto& group : by_queue) {
        spool_journal& log = group.first->records;
        std::vector<storage::sequence> wanted;
        for (const std::size_t i : group.second) wanted.push_back(picks[i].record);
        auto got = co_await log.read(std::move(wanted));
        std::vector<spool_record::attempt> tried;
        for (std::size_t k = 0; k < got.size(); ++k) {
            taken& pick = picks[group.second[k]];
            if (got[k].has_value()) {
                leased_record& out = in_order[group.second[k]];
                out = std::move(*got[k]);
                out.lease = next_lease_++;
                pick.history = out.header.history;
                pick.file = out.header.file;
                leases_.emplace(out.lease, pick);
                tried.push_back({pick.record, pick.attempts + 1});
                continue;
            }
            const error why = got[k].error();
            if (is_damage(why)) {
                log.index().give_up(pick.record);
                co_await log.distrust(pick.record);
                ++x_.count["spool_unreadable_records"];
                x_.log.error("a spooled record cannot be read any more", {{"error", why.context()}});
            } else {
                log.index().unlease(pick.record, pick.touched_before);
                problem = why;
            }
        }
        if (tried.empty()) continue;
        co_await log.note_attempts(spool_record::kind::leased, std::move(tried));
    }
    std::erase_if(in_order, [](const leased_record& one) { return one.lease == 0; });
    if (in_order.empty() && problem) co_return *problem;
    co_return std::move(in_order);
}

task<result<>> directory_spool::settle(lease_id lease, const settlement& what) {
    const auto held = leases_.find(lease);
    if (held == leases_.end())
        co_return error(disposition::park, "the spool knows no lease " + std::to_string(lease));
    const taken record = held->second;
    result<> done;
    if (std::holds_alternative<delivered>(what)) {
        done = co_await settle_delivered(record);
    } else if (const auto* const how = std::get_if<failed>(&what)) {
        done = co_await settle_failed(record, *how);
    } else if (const auto* const why = std::get_if<parked>(&what)) {
        done = co_await settle_parked(record, why->why);
    } else {
        done = co_await settle_released(record);
    }
    if (done.has_value()) leases_.erase(lease);
    co_return done;
}

task<result<>> directory_spool::settle_delivered(taken what) {
    std::vector<storage::sequence> one(1, what.record);
    auto files = files_named(what.file);
    auto done = co_await what.from->records.settle(std::move(one), std::move(files));
    if (!what.from->drain.delivered(x_.time.now())) co_return done;
    // For `spool ls` beside this process.
    auto tell = [this, where = what.from->directory, text = what.from->drain.to_json(x_.time.wall_now())] {
        (void)storage::replace_file(fs_, where / drain_meter::file_name, as_bytes(text));
    };
    if (what.from->records.index().records() > 0) co_await run_blocking(x_.blocking, std::move(tell));
    co_return done;
}

task<result<>> directory_spool::settle_failed(taken what, failed how) {
    std::vector<failed_record> one(1);
    one.front().record = what.record;
    one.front().history = std::move(what.history);
    attempt_note note;
    note.at = x_.time.wall_now();
    note.attempt = how.attempts;
    note.why = how.why;
    remember(one.front().history, std::move(note));
    one.front().what = std::move(how);
    auto done = co_await what.from->records.fail(std::move(one));
    if (done.has_value()) what.from->records.index().unlease(what.record, std::nullopt);
    co_return done;
}

task<result<>> directory_spool::settle_parked(taken what, failure why) {
    auto ready = co_await ensure_open(*what.from, what.from->dead_letters);
    if (ready.has_error()) co_return ready;
    std::vector<storage::sequence> one(1, what.record);
    auto copy = one;
    auto got = co_await what.from->records.read(std::move(copy));
    if (got.front().has_error()) co_return got.front().error();
    spool_entry entry;
    entry.header = got.front()->header;
    entry.header.attempts = what.attempts + 1;
    attempt_note note;
    note.at = x_.time.wall_now();
    note.attempt = entry.header.attempts;
    note.why = why;
    remember(entry.header.history, std::move(note));
    entry.header.last_error = std::move(why);
    entry.body = got.front()->body;
    entry.file = got.front()->file;
    std::vector<const spool_entry*> entries(1, &entry);
    // First there, then gone here: a crash in between leaves both, never none.
    auto kept = co_await what.from->dead_letters.append(std::move(entries));
    if (kept.has_error()) co_return kept.error();
    auto files = files_named(what.file);
    co_return co_await what.from->records.settle(std::move(one), std::move(files));
}

task<result<>> directory_spool::settle_released(taken what) {
    what.from->records.index().unlease(what.record, what.touched_before);
    std::vector<spool_record::attempt> one(1);
    one.front().record = what.record;
    one.front().attempts = what.attempts;
    co_await what.from->records.note_attempts(spool_record::kind::returned, std::move(one));
    co_return result<>();
}

std::vector<backlog> directory_spool::contents() const {
    std::vector<backlog> out;
    for (const auto& [to, q] : queues_) {
        const spool_index& index = q->records.index();
        const std::uint64_t dead = q->dead_letters.index().records();
        if (index.records() == 0 && dead == 0) continue;
        backlog row;
        row.to = to;
        row.records = index.records();
        row.bytes = q->records.body_bytes();
        row.parked = dead;
        row.oldest = index.oldest_failure();
        row.next_at = index.earliest();
        row.drain_rate = q->drain.rate(x_.time.now());
        row.last_error = index.records() > 0 ? q->records.last_error() : q->dead_letters.last_error();
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace firehose::stages
