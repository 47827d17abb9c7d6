#include "examples/firehose/debug_lines.hpp"

#include "examples/firehose/exit_codes.hpp"
#include "storage/provider_answer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstdio>
#include <iostream>

namespace firehose::app {
namespace json = boost::json;
namespace {

result<json::object> answer_line(const std::string& text, const line_answer& answer) {
    json::error_code ec;
    const auto parsed = json::parse(text, ec);
    if (ec) return bad_line("not JSON: " + ec.message());
    if (!parsed.is_object()) return bad_line("not a JSON object");
    return answer(parsed.get_object());
}

}  // namespace

void print_line(const json::object& line) {
    std::printf("%s\n", json::serialize(line).c_str());
    std::fflush(stdout);
}

error bad_line(std::string why) { return {disposition::park, std::move(why)}; }

int answer_lines(const line_answer& answer) {
    std::uint64_t number = 0;
    bool refused = false;
    for (std::string text; std::getline(std::cin, text);) {
        ++number;
        if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
        const auto said = answer_line(text, answer);
        if (said.has_value()) {
            print_line(*said);
            continue;
        }
        refused = true;
        print_line({{"line", number}, {"error", said.error().context()}});
    }
    return refused ? exit_code::refused : exit_code::all_delivered;
}

const json::value* members::find(std::string_view name) const {
    const auto* found = of_.if_contains(name);
    return found == nullptr || found->is_null() ? nullptr : found;
}

void members::refuse(std::string_view name, std::string_view why) {
    if (problem_.empty()) problem_.append(name).append(": ").append(why);
}

std::string members::text(std::string_view name) {
    if (!has(name)) refuse(name, "is required");
    return text_or(name, {});
}

std::string members::text_or(std::string_view name, std::string_view otherwise) {
    const auto* found = find(name);
    if (found == nullptr) return std::string(otherwise);
    if (found->is_string()) return std::string(found->get_string());
    refuse(name, "must be text");
    return {};
}

bool members::flag_or(std::string_view name, bool otherwise) {
    const auto* found = find(name);
    if (found == nullptr) return otherwise;
    if (found->is_bool()) return found->get_bool();
    refuse(name, "must be true or false");
    return otherwise;
}

std::uint64_t members::number_or(std::string_view name, std::uint64_t otherwise) {
    const auto* found = find(name);
    if (found == nullptr) return otherwise;
    if (found->is_string()) {
        if (const auto number = storage::whole_number(found->get_string())) return *number;
    } else if (found->is_number()) {
        json::error_code ec;
        const auto number = found->to_number<std::uint64_t>(ec);
        if (!ec) return number;
    }
    refuse(name, "must be a whole number");
    return otherwise;
}

const json::object& members::object_or_empty(std::string_view name) {
    static const json::object none;
    const auto* found = find(name);
    if (found == nullptr) return none;
    if (found->is_object()) return found->get_object();
    refuse(name, "must be an object");
    return none;
}

http::header_list members::headers(std::string_view name) {
    http::header_list out;
    const auto* found = find(name);
    if (found == nullptr) return out;
    const json::array none;
    const auto& rows = found->is_array() ? found->get_array() : none;
    if (!found->is_array()) refuse(name, "must be an array of pairs [name, value]");
    for (const auto& row : rows) {
        const auto* pair = row.if_array();
        if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string()) {
            refuse(name, "must be an array of pairs [name, value]");
            return {};
        }
        out.emplace_back(std::string((*pair)[0].get_string()), std::string((*pair)[1].get_string()));
    }
    return out;
}

}  // namespace firehose::app
