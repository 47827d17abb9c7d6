#include "stages/object_files.hpp"

#include <boost/asio/post.hpp>

#include <cerrno>
#include <string>

namespace firehose::stages {

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

void object_files::clear() {
    const auto names = fs_->list(folder_);
    if (names.has_error()) return;
    for (const auto& name : *names) (void)fs_->remove(folder_ / name);
    (void)fs_->remove_directory(folder_);
}

std::shared_ptr<object_file> object_files::make(context& x) {
    return std::make_shared<object_file>(x.blocking, fs_, folder_ / std::to_string(next_++));
}

}  // namespace firehose::stages
