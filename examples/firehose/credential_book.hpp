/// Credentials that the API has saved: sealed on disk, in the clear only in this process.
#pragma once
#include "pipeline/stage.hpp"
#include "storage/credentials.hpp"
#include "storage/document_folder.hpp"
#include "storage/sealing.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::app {

/// Files `<data_dir>/credentials/<id>`, each a document_folder's document that is a sealed JSON object.
/// Opening unseals all of them and seals anew those of an older key, so that a key can be taken out of the
/// configuration after one start beside its successor.
///
/// Single shard; one process owns data_dir; one change at a time: the caller sees to that.
class credential_book {
public:
    /// Fails when a file is sealed with a key that the ring has not, with a sentence that says which; nothing
    /// is changed then. What is damaged is logged, kept, and not among the documents.
    static task<result<std::unique_ptr<credential_book>>>
    open(context& x, storage::file_system& fs, std::filesystem::path data_dir, storage::keyring keys);

    /// Whether there is a key to seal with.
    bool can_save() const noexcept { return !keys_.empty(); }

    struct saved {
        storage::secret document{};  ///< the JSON object, secrets and all
        std::string etag{};
    };
    const std::map<std::string, saved, std::less<>>& all() const noexcept { return saved_; }
    const saved* find(std::string_view id) const;
    /// Ids of files that are there and cannot be opened.
    const std::vector<std::string>& damaged() const noexcept { return damaged_; }

    /// Durable when it succeeds. After an error the old one counts in this process, and the file may be
    /// either. Not to be cancelled.
    task<result<>> put(std::string id, storage::secret document);
    task<result<>> erase(std::string id);

private:
    credential_book(context& x, storage::file_system& fs, const std::filesystem::path& data_dir,
                    storage::keyring keys);
    task<result<>> open_all(storage::document_folder::contents found);

    context& x_;
    storage::document_folder folder_;
    storage::keyring keys_;
    std::map<std::string, saved, std::less<>> saved_{};
    std::vector<std::string> damaged_{};
};

}  // namespace firehose::app
