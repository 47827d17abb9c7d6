#include "storage/static_credential.hpp"

namespace firehose::storage {

std::string static_credential::describe() const {
    return with_.files.none() ? "the configuration" : "files that the configuration names";
}

std::chrono::seconds static_credential::believe() const {
    return with_.files.none() ? std::chrono::seconds(0) : file_belief;
}

task<result<credential_value>> static_credential::fetch(time_source::steady) {
    credential now = with_;
    secret username;
    const std::pair<const std::string*, secret*> places[] = {{&with_.files.username, &username},
                                                             {&with_.files.password, &now.password},
                                                             {&with_.files.session_token, &now.session_token},
                                                             {&with_.files.token, &now.token}};
    for (const auto& [file, into] : places) {
        if (file->empty()) continue;
        auto text = co_await read_secret_file(parts_, *file);
        if (!text.has_value()) co_return text.error();
        // An empty file is one that is being written.
        if (text->empty()) co_return error(disposition::retry, *file + " is empty");
        *into = secret(std::move(*text));
    }
    if (!username.empty()) now.username = username.reveal();
    co_return value_of(now);
}

}  // namespace firehose::storage
