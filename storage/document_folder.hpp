/// Small documents by name, each a file of its own that is replaced as a whole: the old one or the new one.
#pragma once
#include "storage/file_system.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage {

/// A file begins with the line "firehose-document 1 CRC", CRC being the CRC-32C of all that follows, in
/// decimal digits. It is written under a temporary name, synced, renamed, and its directory synced, so that a
/// power cut leaves one of the two documents and a success is durable. After an error it may be either; put()
/// again to know.
///
/// Calls block: use them on the blocking pool, one at a time. Somebody else sees to it that one process owns
/// the folder.
class document_folder {
public:
    document_folder(file_system& fs, const std::filesystem::path& data_dir, std::string name)
        : fs_(fs), folder_(data_dir / name), name_(std::move(name)) {}

    struct contents {
        std::map<std::string, std::string> documents{};
        std::vector<std::string> damaged{};  ///< names whose file is not what was written; it is left alone
    };

    /// Makes the folders when they are not there and removes what an interrupted put() left. Files whose name
    /// may_be_named() refuses are passed over.
    result<contents> load();
    result<> put(const std::string& name, std::string_view document);
    /// Fine when there is none.
    result<> erase(const std::string& name);

    const std::filesystem::path& path() const noexcept { return folder_; }

    /// 1 to 64 of A-Z, a-z, 0-9, '-' and '_'.
    static bool may_be_named(std::string_view name) noexcept;

private:
    result<std::string> read(const std::string& name);

    file_system& fs_;
    std::filesystem::path folder_;
    std::string name_;
};

}  // namespace firehose::storage
