#include "stages/cut_plan.hpp"

#include "http/random_hex.hpp"
#include "pipeline/blocking.hpp"
#include "stages/event.hpp"
#include "storage/object_key.hpp"
#include "storage/text_hash.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace firehose::stages {
namespace json = boost::json;
namespace {

// Types of journal records; part of the file format.
constexpr std::uint16_t input_record = 1;
constexpr std::uint16_t cut_record = 2;

constexpr std::size_t id_length = 16;
constexpr std::uint64_t log_segment_bytes = 1u << 20;  // what is forgotten leaves the disk in such pieces

std::string place_of(std::string_view to, std::string_view partition) {
    std::string place(to);
    place.append(1, '\n').append(partition);
    return place;
}

json::array to_array(const std::vector<std::uint64_t>& numbers) {
    json::array out;
    for (const auto n : numbers) out.emplace_back(n);
    return out;
}

std::vector<std::uint64_t> numbers_at(const json::object& from, std::string_view name) {
    std::vector<std::uint64_t> out;
    const auto* found = from.if_contains(name);
    if (!found || !found->is_array()) return out;
    for (const auto& n : found->get_array()) {
        boost::system::error_code ec;
        out.push_back(n.to_number<std::uint64_t>(ec));
    }
    return out;
}

std::string to_json(const planned_cut& cut) {
    json::object o{{"to", cut.to},     {"partition", cut.partition}, {"first", cut.first},
                   {"last", cut.last}, {"events", cut.events},       {"key", cut.key}};
    if (!cut.blocks.empty()) o["blocks"] = to_array(cut.blocks);
    return json::serialize(o);
}

std::string text_at(const json::object& from, std::string_view name) {
    const auto* value = from.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number_at(const json::object& from, std::string_view name) {
    const auto* value = from.if_contains(name);
    boost::system::error_code ec;
    const auto n = value ? value->to_number<std::uint64_t>(ec) : 0;
    return ec ? 0 : n;
}

planned_cut from_json(const json::object& from) {
    planned_cut cut;
    cut.to = text_at(from, "to");
    cut.partition = text_at(from, "partition");
    cut.first = number_at(from, "first");
    cut.last = number_at(from, "last");
    cut.events = number_at(from, "events");
    cut.key = text_at(from, "key");
    cut.blocks = numbers_at(from, "blocks");
    return cut;
}

}  // namespace

void cut_plan::visit(const storage::recovered_record& r) {
    boost::system::error_code ec;
    const auto value = json::parse(as_text(r.payload), ec);
    if (ec || !value.is_object()) return;
    const auto& o = value.get_object();
    if (r.type == input_record) {
        arrival_ms_ = static_cast<std::int64_t>(number_at(o, "arrival_ms"));
        has_arrival_ = true;
        auto starts = numbers_at(o, "starts");
        if (!starts.empty()) starts_ = std::move(starts);
    } else if (r.type == cut_record) {
        remember(from_json(o), r.where.first);
    }
}

void cut_plan::remember(planned_cut cut, storage::sequence record) {
    if (cut.last >= end_) {
        of_another_log_ = true;
        return;
    }
    auto place = place_of(cut.to, cut.partition);
    last_position_ = std::max(last_position_, cut.last);
    if (is_for_log()) recorded_.push_back({record, place, cut.first, cut.last});
    auto& cuts = known_[std::move(place)];
    forget_overlapping(cuts, cut.first, cut.last);
    const auto first = cut.first;
    cuts.emplace(first, std::make_shared<const planned_cut>(std::move(cut)));
    ++count_;
}

/// An object of these events was made another way, or what was said of it was never acted upon.
void cut_plan::forget_overlapping(cuts_of_partition& cuts, std::uint64_t first, std::uint64_t last) {
    auto it = cuts.upper_bound(last);
    while (it != cuts.begin() && std::prev(it)->second->last >= first) {
        it = cuts.erase(std::prev(it));
        --count_;
    }
}

void cut_plan::forget(const recorded_cut& which) {
    const auto cuts = known_.find(which.partition);
    if (cuts == known_.end()) return;
    const auto cut = cuts->second.find(which.first);
    if (cut == cuts->second.end() || cut->second->last != which.last) return;  // made another way
    cuts->second.erase(cut);
    --count_;
    if (cuts->second.empty()) known_.erase(cuts);
}

task<result<std::unique_ptr<storage::journal>>> cut_plan::open_journal(context& x, storage::file_system& fs,
                                                                       std::filesystem::path directory,
                                                                       storage::journal_options how,
                                                                       cut_plan& into) {
    auto make = [&fs, above = directory.parent_path()] { return storage::make_directories(fs, above); };
    auto making = run_blocking(x.blocking, std::move(make));
    auto made = co_await std::move(making);
    if (!made) co_return made.error();
    storage::record_visitor visit = [&into](const storage::recovered_record& r) { into.visit(r); };
    co_return co_await storage::journal::open(x, fs, directory, how, std::move(visit));
}

task<result<std::shared_ptr<cut_plan>>> cut_plan::open(context& x, storage::file_system& fs,
                                                       std::filesystem::path data_dir, std::string identity,
                                                       std::string name, std::vector<std::uint64_t> starts) {
    const auto hash = storage::sha256_hex(identity);
    auto directory = data_dir / "plans" / hash.substr(0, 32);
    std::shared_ptr<cut_plan> plan(new cut_plan);
    plan->id_ = hash.substr(0, id_length);
    const storage::journal_options options;
    auto opened = co_await open_journal(x, fs, std::move(directory), options, *plan);
    if (opened.has_error()) co_return opened.error();
    plan->log_ = std::move(*opened);
    if (!plan->has_arrival_) {
        plan->arrival_ms_ = milliseconds_since_epoch(x.time.wall_now());
        plan->starts_ = std::move(starts);
        const auto text = json::serialize(json::object{{"v", 1},
                                                       {"input", escape_for_log(name)},
                                                       {"arrival_ms", plan->arrival_ms_},
                                                       {"starts", to_array(plan->starts_)}});
        storage::journal_input first;
        first.type = input_record;
        first.head = as_bytes(text);
        const std::vector<storage::journal_input> records{first};
        auto written = co_await plan->log_->append(records);
        if (written.has_error()) co_return written.error();
    }
    co_return plan;
}

std::string cut_plan::identity_of_part(const std::string& identity, std::uint64_t start) {
    return start == 0 ? identity : identity + " from " + std::to_string(start);
}

task<result<std::shared_ptr<cut_plan>>> cut_plan::open_for_log(context& x, storage::file_system& fs,
                                                               std::filesystem::path directory,
                                                               std::uint64_t end, settled_position settled) {
    std::shared_ptr<cut_plan> plan(new cut_plan);
    plan->end_ = end;
    plan->settled_ = std::move(settled);
    storage::journal_options options;
    options.segment_bytes = log_segment_bytes;
    auto copy = directory;
    auto opened = co_await open_journal(x, fs, std::move(copy), options, *plan);
    if (opened.has_error()) co_return opened.error();
    auto name = [&] { return plan->name_log(x.random, fs, directory); };
    auto named = co_await run_blocking(x.blocking, std::move(name));
    if (named.has_error()) co_return named.error();
    plan->log_ = std::move(*opened);
    plan->end_ = std::numeric_limits<std::uint64_t>::max();
    co_await plan->forget_settled();
    co_return plan;
}

/// In a file of its own, since records are forgotten.
result<> cut_plan::name_log(randomness& random, storage::file_system& fs,
                            const std::filesystem::path& directory) {
    const auto path = directory / "id";
    auto file = fs.open(path, storage::open_how::read);
    if (file.has_error() && !storage::is_errno(file.error(), ENOENT)) return file.error();
    std::array<std::byte, id_length> text{};
    if (file.has_value() && !of_another_log_) {
        const auto got = storage::read_fully(**file, text, 0);
        if (got.has_error()) return got.error();
        id_ = as_text(bytes_view(text).first(*got));
        if (id_.size() == id_length && id_.find_first_not_of("0123456789abcdef") == id_.npos) return {};
    }
    id_ = http::random_hex(random, id_length / 2);
    return storage::replace_file(fs, path, as_bytes(id_));
}

std::shared_ptr<const planned_cut> cut_plan::at(std::string_view to, std::string_view partition,
                                                std::uint64_t position) const {
    if (position > last_position_ || known_.empty()) return nullptr;
    const auto cuts = known_.find(place_of(to, partition));
    if (cuts == known_.end()) return nullptr;
    auto next = cuts->second.upper_bound(position);
    if (next == cuts->second.begin()) return nullptr;
    const auto& cut = std::prev(next)->second;
    return position <= cut->last && cut->last >= begun_at_ ? cut : nullptr;
}

std::uint64_t cut_plan::read_from(std::uint64_t position) const {
    auto from = position;
    for (const auto& cut : recorded_)
        if (cut.last >= position) from = std::min(from, cut.first);
    return from;
}

std::uint64_t cut_plan::begin_reading(std::uint64_t position) {
    begun_at_ = position;
    return read_from(position);
}

/// What cannot be removed now is removed another time.
task<> cut_plan::forget_settled() {
    const auto settled = settled_();
    while (!recorded_.empty() && recorded_.front().last < settled) {
        forget(recorded_.front());
        recorded_.pop_front();
    }
    const auto keep_from = recorded_.empty() ? log_->next_sequence() : recorded_.front().record;
    if (!log_->removable(keep_from)) co_return;
    auto removed = co_await log_->remove_before(keep_from);
    static_cast<void>(removed);
}

task<result<>> cut_plan::record(std::vector<planned_cut> cuts) {
    std::vector<std::string> texts;
    std::vector<storage::journal_input> records;
    texts.reserve(cuts.size());
    for (const auto& cut : cuts) {
        texts.push_back(to_json(cut));
        storage::journal_input input;
        input.type = cut_record;
        input.head = as_bytes(texts.back());
        records.push_back(input);
    }
    auto written = co_await log_->append(records);
    if (written.has_error()) co_return written.error();
    if (!is_for_log()) co_return result<>();
    for (std::size_t i = 0; i < cuts.size(); ++i) remember(std::move(cuts[i]), (*written)[i].first);
    co_await forget_settled();
    co_return result<>();
}

}  // namespace firehose::stages
