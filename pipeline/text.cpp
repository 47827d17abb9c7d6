#include "pipeline/text.hpp"

namespace firehose {

std::string_view trim(std::string_view text, std::string_view of) noexcept {
    const auto begin = text.find_first_not_of(of);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(of) - begin + 1);
}

std::string_view first_line(std::string_view text) noexcept {
    return text.substr(0, text.find_first_of("\r\n"));
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

}  // namespace firehose
