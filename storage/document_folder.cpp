#include "storage/document_folder.hpp"

#include "storage/crc32c.hpp"

#include <algorithm>

namespace firehose::storage {
namespace {

constexpr std::string_view leftover = ".tmp";  // of replace_file()
constexpr std::uint64_t longest_document = 64u << 20;

std::string heading_of(std::string_view document) {
    return "firehose-document 1 " + std::to_string(crc32c(as_bytes(document))) + "\n";
}

}  // namespace

bool document_folder::may_be_named(std::string_view name) noexcept {
    const auto fits = [](char c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return letter || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits);
}

/// The document; an empty text when the file is not one.
result<std::string> document_folder::read(const std::string& name) {
    auto opened = uninterrupted([&] { return fs_.open(folder_ / name, open_how::read); });
    if (opened.has_error()) return opened.error();
    auto size = (*opened)->size();
    if (size.has_error()) return size.error();
    if (*size > longest_document) return std::string();
    std::string text(static_cast<std::size_t>(*size), '\0');
    auto got = read_fully(**opened, std::as_writable_bytes(std::span(text)), 0);
    if (got.has_error()) return got.error();
    text.resize(*got);
    const auto line = text.find('\n');
    if (line == std::string::npos) return std::string();
    auto document = text.substr(line + 1);
    return text.compare(0, line + 1, heading_of(document)) == 0 ? document : std::string();
}

result<document_folder::contents> document_folder::load() {
    auto made = make_directories(fs_, folder_);
    if (made.has_error()) return made.error();
    auto names = uninterrupted([&] { return fs_.list(folder_); });
    if (names.has_error()) return names.error();
    contents out;
    for (const auto& name : *names) {
        if (name.ends_with(leftover)) {
            auto removed = uninterrupted([&] { return fs_.remove(folder_ / name); });
            if (removed.has_error() && !is_errno(removed.error(), ENOENT)) return removed.error();
        }
        if (!may_be_named(name)) continue;
        auto document = read(name);
        if (document.has_error()) return document.error();
        if (document->empty())
            out.damaged.push_back(name);
        else
            out.documents.emplace(name, std::move(*document));
    }
    return out;
}

result<> document_folder::put(const std::string& name, std::string_view document) {
    const auto text = heading_of(document).append(document);
    return replace_file(fs_, folder_ / name, as_bytes(text));
}

result<> document_folder::erase(const std::string& name) {
    auto removed = uninterrupted([&] { return fs_.remove(folder_ / name); });
    if (removed.has_error() && !is_errno(removed.error(), ENOENT)) return removed;
    return fs_.sync_directory(folder_);
}

}  // namespace firehose::storage
