#include "examples/firehose/credential_book.hpp"

#include "examples/firehose/admin_routes.hpp"
#include "pipeline/blocking.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

namespace firehose::app {
namespace {

std::string bound_to(const std::string& id) { return "credential " + id; }

bool is_object(const storage::secret& text) {
    error_code ec;
    const auto value = boost::json::parse(text.reveal(), ec);
    return !ec && value.is_object();
}

}  // namespace

credential_book::credential_book(context& x, storage::file_system& fs, const std::filesystem::path& data_dir,
                                 storage::keyring keys)
    : x_(x), folder_(fs, data_dir, "credentials"), keys_(std::move(keys)) {}

task<result<std::unique_ptr<credential_book>>> credential_book::open(context& x, storage::file_system& fs,
                                                                     std::filesystem::path data_dir,
                                                                     storage::keyring keys) {
    std::unique_ptr<credential_book> book(new credential_book(x, fs, data_dir, std::move(keys)));
    auto work = [&] { return book->folder_.load(); };
    auto found = co_await run_blocking(x.blocking, std::move(work));
    if (found.has_error()) co_return found.error();
    auto opened = co_await book->open_all(std::move(*found));
    if (opened.has_error()) co_return opened.error();
    for (const auto& id : book->damaged_)
        x.log.error("a saved credential is damaged and cannot be used; save it again", {{"credential", id}});
    co_return book;
}

task<result<>> credential_book::open_all(storage::document_folder::contents found) {
    damaged_ = std::move(found.damaged);
    std::vector<std::string> of_an_older_key;
    for (const auto& [id, sealed] : found.documents) {
        auto plain = keys_.open(sealed, bound_to(id));
        if (plain.has_error() && plain.error().provider_code() == storage::keyring::unknown_key)
            co_return error(disposition::stop, "credential " + id + " " + plain.error().context() +
                                                   ": add that key to server.previous_credentials_keys, or "
                                                   "set server.credentials_key to it");
        if (plain.has_error() || !is_object(*plain)) {
            damaged_.push_back(id);
            continue;
        }
        if (storage::keyring::key_of(sealed) != keys_.current_id()) of_an_older_key.push_back(id);
        saved_[id] = {std::move(*plain), etag_of(sealed)};
    }
    for (const auto& id : of_an_older_key) {
        auto sealed = co_await put(id, saved_.at(id).document);
        if (sealed.has_error()) co_return sealed;
    }
    if (!of_an_older_key.empty())
        x_.log.info("credentials sealed with the current key",
                    {{"credentials", of_an_older_key.size()}, {"key", keys_.current_id()}});
    co_return result<>();
}

const credential_book::saved* credential_book::find(std::string_view id) const {
    const auto known = saved_.find(id);
    return known == saved_.end() ? nullptr : &known->second;
}

task<result<>> credential_book::put(std::string id, storage::secret document) {
    const auto sealed = keys_.seal(document, bound_to(id), x_.random);
    auto work = [&] { return folder_.put(id, sealed); };
    auto written = co_await run_blocking(x_.blocking, std::move(work));
    if (written.has_error()) co_return written;
    saved_[id] = {std::move(document), etag_of(sealed)};
    std::erase(damaged_, id);
    co_return written;
}

task<result<>> credential_book::erase(std::string id) {
    auto work = [&] { return folder_.erase(id); };
    auto erased = co_await run_blocking(x_.blocking, std::move(work));
    if (erased.has_error()) co_return erased;
    saved_.erase(id);
    std::erase(damaged_, id);
    co_return erased;
}

}  // namespace firehose::app
