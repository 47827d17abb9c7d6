#include "stages/object_files.hpp"

#include "http/random_hex.hpp"

#include <boost/asio/post.hpp>

#include <cerrno>
#include <string>
#include <string_view>

namespace firehose::stages {
namespace {

constexpr std::string_view ending = ".object";

bool is_ours(std::string_view name) {
    if (!name.ends_with(ending)) return false;
    name.remove_suffix(ending.size());
    return name.size() > 17 && name[16] == '-' && name.find_first_not_of("0123456789abcdef") == 16 &&
           name.substr(17).find_first_not_of("0123456789") == name.npos;
}

}  // namespace

object_file::~object_file() {
    if (sums_.size() == 0 && !failure_) return;
    // Freeing gigabytes takes its time.
    asio::post(blocking_, [fs = std::move(fs_), path = std::move(path_)] { (void)fs->remove(path); });
}

void object_file::append(bytes_view more) {
    if (failure_ || more.empty()) return;
    const auto at = sums_.size();
    const auto open = [this, at] {
        return fs_->open(path_, at == 0 ? storage::open_how::create_new : storage::open_how::update);
    };
    auto opened = storage::uninterrupted(open);
    if (opened.has_error() && at == 0 && storage::is_errno(opened.error(), ENOENT)) {
        auto made = storage::make_directories(*fs_, path_.parent_path());
        if (made.has_error())
            failure_ = made.error();
        else
            opened = storage::uninterrupted(open);
    }
    if (opened.has_error() && !failure_) failure_ = opened.error();
    if (failure_) return;
    auto written = storage::write_fully(**opened, std::span(&more, 1), at);
    if (written.has_error())
        failure_ = written.error();
    else
        sums_.add(more);
}

std::shared_ptr<const storage::body_file> object_file::so_far() const {
    return std::make_shared<const storage::body_file>(*fs_, path_, sums_, shared_from_this());
}

object_files::object_files(std::shared_ptr<storage::file_system> fs, std::filesystem::path folder,
                           randomness& random)
    : fs_(std::move(fs)), folder_(std::move(folder)) {
    process_ = http::random_hex(random, 8);
}

void object_files::clear() {
    const auto names = fs_->list(folder_);
    if (names.has_error()) return;
    for (const auto& name : *names)
        if (is_ours(name)) (void)fs_->remove(folder_ / name);
    (void)fs_->remove_directory(folder_);
}

std::shared_ptr<object_file> object_files::make(context& x) {
    return std::make_shared<object_file>(
        x.blocking, fs_, folder_ / (process_ + "-" + std::to_string(next_++) + std::string(ending)));
}

}  // namespace firehose::stages
