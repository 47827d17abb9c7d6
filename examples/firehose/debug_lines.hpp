/// JSON lines in, JSON lines out: how `firehose debug` talks with the tools that ask it.
#pragma once
#include "http/message.hpp"
#include "pipeline/error.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace firehose::app {

using line_answer = std::function<result<boost::json::object>(const boost::json::object& line)>;

/// Answers each line of standard input with one line of standard output, at once. A line that is no JSON
/// object, or that `answer` refuses, is answered with {"line":n,"error":"…"}; the others go on. Blank lines
/// are passed over. Returns the exit code: 3 when a line was refused.
int answer_lines(const line_answer& answer);

/// One JSON object on a line of standard output, flushed.
void print_line(const boost::json::object& line);

/// Reads the members of an object and remembers the first thing that was wrong, so that a reader asks for
/// all it needs and looks once. A member that is null counts as absent.
class members {
public:
    explicit members(const boost::json::object& of) : of_(of) {}

    bool has(std::string_view name) const { return find(name) != nullptr; }
    /// Required.
    std::string text(std::string_view name);
    std::string text_or(std::string_view name, std::string_view otherwise);
    bool flag_or(std::string_view name, bool otherwise);
    /// Not negative; may be written as text.
    std::uint64_t number_or(std::string_view name, std::uint64_t otherwise);
    /// An empty object when it is absent.
    const boost::json::object& object_or_empty(std::string_view name);
    /// Pairs [name, value]; none when it is absent.
    http::header_list headers(std::string_view name);

    /// What was wrong, beginning with the member's name; empty when nothing was.
    const std::string& problem() const noexcept { return problem_; }
    void refuse(std::string_view name, std::string_view why);

private:
    const boost::json::value* find(std::string_view name) const;
    const boost::json::object& of_;
    std::string problem_{};
};

/// An input that cannot be answered; the text is for the tool's author.
error bad_line(std::string why);

}  // namespace firehose::app
