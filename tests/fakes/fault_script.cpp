#include "tests/fakes/fault_script.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

namespace firehose::fakes {
namespace json = boost::json;
namespace {

bool applies(const fault_filter& on, std::string_view operation, std::string_view key,
             std::chrono::milliseconds age) {
    if (!on.operation.empty() && on.operation != operation) return false;
    return key.starts_with(on.key) && age >= on.after && age < on.until;
}

error wrong(std::string why) { return {disposition::stop, "fault script: " + std::move(why)}; }

/// Takes the members of one object and remembers the first that is wrong.
class taker {
public:
    taker(const json::object& from, std::string_view where) : from_(from), where_(where) {}

    void take(std::string_view name, std::string& into) {
        const auto* v = find(name);
        if (v == nullptr) return;
        if (!v->is_string()) return refuse(name, "must be text");
        into = v->get_string();
    }
    void take(std::string_view name, std::optional<std::string>& into) {
        if (from_.contains(name)) take(name, into.emplace());
    }
    void take(std::string_view name, bool& into) {
        const auto* v = find(name);
        if (v == nullptr) return;
        if (!v->is_bool()) return refuse(name, "must be a boolean");
        into = v->get_bool();
    }
    template <std::integral N> void take(std::string_view name, N& into) {
        const auto* v = find(name);
        if (v == nullptr) return;
        json::error_code ec;
        if (v->is_number()) into = v->to_number<N>(ec);
        if (!v->is_number() || ec) refuse(name, "must be a whole number");
    }
    void take(std::string_view name, std::optional<std::size_t>& into) {
        if (from_.contains(name)) take(name, into.emplace());
    }
    void take(std::string_view name, std::chrono::milliseconds& into) {
        std::int64_t count = into.count();
        take(name, count);
        into = std::chrono::milliseconds(count);
    }
    void take(std::string_view name, http::header_list& into) {
        const auto* v = find(name);
        if (v == nullptr) return;
        if (!v->is_object()) return refuse(name, "must be an object");
        for (const auto& header : v->get_object()) {
            if (!header.value().is_string()) return refuse(name, "must hold text");
            into.emplace_back(header.key(), header.value().get_string());
        }
    }
    /// What was wrong, unknown members included.
    std::string finish() {
        for (const auto& member : from_)
            if (std::ranges::find(known_, std::string_view(member.key())) == known_.end())
                refuse(member.key(), "is not known");
        return problem_;
    }

private:
    const json::value* find(std::string_view name) {
        known_.push_back(name);
        return from_.if_contains(name);
    }
    void refuse(std::string_view name, std::string_view why) {
        if (problem_.empty()) problem_.append(where_).append("/").append(name).append(" ").append(why);
    }
    const json::object& from_;
    std::string where_;
    std::vector<std::string_view> known_{};
    std::string problem_{};
};

std::string read_filter(const json::object& from, const std::string& where, fault_filter& on) {
    taker t(from, where);
    t.take("operation", on.operation);
    t.take("key", on.key);
    t.take("from", on.from);
    t.take("every", on.every);
    t.take("times", on.times);
    t.take("after_ms", on.after);
    t.take("until_ms", on.until);
    auto problem = t.finish();
    if (problem.empty() && on.every == 0) return where + "/every must be 1 or more";
    return problem;
}

std::string read_effect(const json::object& from, const std::string& where, fault_effect& what) {
    taker t(from, where);
    t.take("delay_ms", what.delay);
    t.take("refuse", what.refuse);
    t.take("status", what.status);
    t.take("code", what.code);
    t.take("message", what.message);
    t.take("body", what.body);
    t.take("headers", what.headers);
    t.take("carried_out", what.carried_out);
    t.take("cut", what.cut);
    t.take("lie", what.lie);
    t.take("expired_token", what.expired_token);
    t.take("region", what.region);
    return t.finish();
}

result<fault> read_fault(const json::value& row, const std::string& where) {
    const auto* members = row.if_object();
    if (members == nullptr) return wrong(where + " must be an object");
    fault f;
    for (const auto& member : *members) {
        const auto name = std::string_view(member.key());
        const auto* inner = member.value().if_object();
        if (inner == nullptr || (name != "on" && name != "do"))
            return wrong(where + " holds the objects \"on\" and \"do\" and nothing else");
        const auto problem = name == "on" ? read_filter(*inner, where + "/on", f.on)
                                          : read_effect(*inner, where + "/do", f.what);
        if (!problem.empty()) return wrong(problem);
    }
    return f;
}

}  // namespace

const fault_effect* fault_script::next(std::string_view operation, std::string_view key,
                                       std::chrono::milliseconds age) {
    const fault_effect* found = nullptr;
    for (auto& r : rows_) {
        if (!applies(r.f.on, operation, key, age)) continue;
        const auto number = ++r.seen;
        const bool turn = number >= r.f.on.from && (number - r.f.on.from) % r.f.on.every == 0;
        if (found != nullptr || !turn || r.hit >= r.f.on.times) continue;
        ++r.hit;
        found = &r.f.what;
    }
    if (found != nullptr) ++hits_;
    return found;
}

result<> fault_script::add_json(std::string_view text) {
    json::error_code ec;
    const auto document = json::parse(text, ec);
    if (ec) return wrong("not JSON: " + ec.message());
    const auto* top = document.if_object();
    const auto* rows = top == nullptr ? nullptr : top->if_contains("faults");
    if (rows == nullptr || !rows->is_array() || top->size() != 1) return wrong("must be {\"faults\": [ … ]}");
    std::vector<fault> read;
    for (const auto& row : rows->get_array()) {
        auto one = read_fault(row, "/faults/" + std::to_string(read.size()));
        if (!one.has_value()) return one.error();
        read.push_back(std::move(*one));
    }
    for (auto& one : read) add(std::move(one));
    return {};
}

result<> fault_script::add_file(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return wrong("cannot read " + file.string());
    const std::string text(std::istreambuf_iterator<char>(in), {});
    auto added = add_json(text);
    if (!added.has_value()) return wrong(file.string() + ": " + added.error().context());
    return {};
}

}  // namespace firehose::fakes
