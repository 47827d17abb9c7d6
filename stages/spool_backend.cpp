#include "stages/spool_backend.hpp"

#include <cmath>

namespace firehose::stages {

failure describe_failure(const error& e) {
    failure f;
    f.disposition = to_string(e.what());
    f.code = e.provider_code();
    if (f.code.empty() && e.code()) f.code = e.code().message();
    f.status = e.status();
    f.message = e.context();
    return f;
}

task<> spool_backend::hold_leases() { co_return; }

std::vector<attempt_note> first_failure(const spool_header& header) {
    std::vector<attempt_note> history;
    attempt_note first;
    first.at = header.first_failed_at;
    first.why = header.last_error;
    remember(history, std::move(first));
    return history;
}

void remember(std::vector<attempt_note>& history, attempt_note note) {
    note.why.message.resize(whole_characters(note.why.message, history_message));
    if (history.size() >= history_limit) history.erase(history.begin() + 1);
    history.push_back(std::move(note));
}

std::optional<std::chrono::seconds> backlog::eta() const {
    if (records == 0 || drain_rate <= 0) return std::nullopt;
    return std::chrono::seconds(
        static_cast<std::int64_t>(std::ceil(static_cast<double>(records) / drain_rate)));
}

}  // namespace firehose::stages
