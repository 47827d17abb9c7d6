#include "stages/cut_plan.hpp"

#include "pipeline/blocking.hpp"
#include "storage/object_key.hpp"
#include "storage/text_hash.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <chrono>

namespace firehose::stages {
namespace json = boost::json;
namespace {

// Types of journal records; part of the file format.
constexpr std::uint16_t input_record = 1;
constexpr std::uint16_t cut_record = 2;

std::string key_of(std::string_view to, std::string_view partition, std::uint64_t first) {
    std::string key(to);
    key.append(1, '\n').append(partition).append(1, '\n').append(std::to_string(first));
    return key;
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

void cut_plan::visit(std::uint16_t type, std::string_view payload) {
    boost::system::error_code ec;
    const auto value = json::parse(payload, ec);
    if (ec || !value.is_object()) return;
    const auto& o = value.get_object();
    if (type == input_record) {
        arrival_ms_ = static_cast<std::int64_t>(number_at(o, "arrival_ms"));
        has_arrival_ = true;
        auto starts = numbers_at(o, "starts");
        if (!starts.empty()) starts_ = std::move(starts);
    } else if (type == cut_record) {
        auto cut = from_json(o);
        auto key = key_of(cut.to, cut.partition, cut.first);
        known_.insert_or_assign(std::move(key), std::move(cut));
    }
}

task<result<std::shared_ptr<cut_plan>>> cut_plan::open(context& x, storage::file_system& fs,
                                                       std::filesystem::path data_dir, std::string identity,
                                                       std::string name, std::vector<std::uint64_t> starts) {
    const auto directory = data_dir / "plans" / storage::sha256_hex(identity).substr(0, 32);
    auto make = [&fs, above = directory.parent_path()] { return storage::make_directories(fs, above); };
    auto making = run_blocking(x.blocking, std::move(make));
    auto made = co_await std::move(making);
    if (!made) co_return made.error();

    std::shared_ptr<cut_plan> plan(new cut_plan);
    storage::record_visitor visit = [&plan](const storage::recovered_record& record) {
        plan->visit(record.type, as_text(record.payload));
    };
    const storage::journal_options options;
    auto opened = co_await storage::journal::open(x, fs, directory, options, std::move(visit));
    if (opened.has_error()) co_return opened.error();
    plan->log_ = std::move(*opened);
    if (!plan->has_arrival_) {
        const auto now = x.time.wall_now().time_since_epoch();
        plan->arrival_ms_ = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
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

const planned_cut* cut_plan::find(std::string_view to, std::string_view partition,
                                  std::uint64_t first) const {
    if (known_.empty()) return nullptr;
    const auto found = known_.find(key_of(to, partition, first));
    return found == known_.end() ? nullptr : &found->second;
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
    co_return result<>();
}

}  // namespace firehose::stages
