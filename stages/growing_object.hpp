/// An object whose first parts are sent while it still grows. Internal to stages: not installed.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/event.hpp"
#include "storage/multipart_upload.hpp"

#include <map>
#include <memory>

namespace firehose::stages {

/// What one destination has of it. Whoever sends parts owns the upload until somebody takes it, and aborts it
/// when nobody will.
struct parts_ahead {
    explicit parts_ahead(executor ex) : changed(std::move(ex)) {}

    enum class fate { open, taken, dropped };
    fate what = fate::open;
    bool sending = true;  ///< the upload may not be touched yet
    std::shared_ptr<const storage::body_file> so_far{};
    storage::begun_upload upload{};
    wait_queue changed;

    void decide(fate now) {
        what = now;
        changed.wake_all();
    }
};

/// Single shard. Travels with the finished object to its deliveries, each of which goes on where its
/// destination's upload stands. An upload that is never taken is dropped with the object.
class growing_object {
public:
    explicit growing_object(executor ex) : ex_(std::move(ex)) {}
    growing_object(const growing_object&) = delete;
    ~growing_object() {
        for (auto& [to, ahead] : ahead_) ahead->decide(parts_ahead::fate::dropped);
    }

    /// For who sends parts there.
    std::shared_ptr<parts_ahead> follow(const storage::destination& to) {
        return ahead_[to] = std::make_shared<parts_ahead>(ex_);
    }
    void grew(const std::shared_ptr<const storage::body_file>& so_far) {
        for (auto& [to, ahead] : ahead_) {
            ahead->so_far = so_far;
            ahead->changed.wake_all();
        }
    }
    /// Waits for the part that is on its way. Nothing in it when nothing was sent ahead.
    task<storage::begun_upload> take(storage::destination to) {
        const auto found = ahead_.find(to);
        if (found == ahead_.end()) co_return storage::begun_upload();
        const auto ahead = found->second;
        ahead_.erase(found);
        struct dropping {
            parts_ahead* of;
            ~dropping() {
                if (of) of->decide(parts_ahead::fate::dropped);
            }
        } unless_taken{ahead.get()};
        ahead->decide(parts_ahead::fate::taken);
        while (ahead->sending) co_await ahead->changed.async_wait(use_task);
        unless_taken.of = nullptr;
        co_return std::move(ahead->upload);
    }

private:
    executor ex_;
    std::map<storage::destination, std::shared_ptr<parts_ahead>> ahead_{};
};

}  // namespace firehose::stages
