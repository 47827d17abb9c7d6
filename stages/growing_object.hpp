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

    enum class fate { open, wanted, taken, dropped };
    fate what = fate::open;
    bool sending = false;  ///< a request is under way: the upload may not be touched
    std::shared_ptr<const storage::body_file> so_far{};
    std::shared_ptr<storage::store> store{};  ///< of the upload
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
    /// `about` tells nothing of its end yet.
    growing_object(executor ex, target_list targets, std::shared_ptr<const gathered_object> about)
        : ex_(std::move(ex)), targets_(std::move(targets)), about_(std::move(about)) {}
    growing_object(const growing_object&) = delete;
    ~growing_object() {
        for (auto& [to, ahead] : ahead_) ahead->decide(parts_ahead::fate::dropped);
    }

    const std::vector<target>& targets() const noexcept { return *targets_; }
    const gathered_object& about() const noexcept { return *about_; }
    bool is_followed() const noexcept { return followed_; }
    /// For who sends parts there.
    std::shared_ptr<parts_ahead> follow(const storage::destination& to) {
        followed_ = true;
        return ahead_[to] = std::make_shared<parts_ahead>(ex_);
    }
    void grew(const std::shared_ptr<const storage::body_file>& so_far) {
        for (auto& [to, ahead] : ahead_) {
            ahead->so_far = so_far;
            ahead->changed.wake_all();
        }
    }
    /// Waits for the part that is on its way. Nothing in it when nothing was sent ahead by that store.
    task<storage::begun_upload> take(storage::destination to, std::shared_ptr<storage::store> by) {
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
        if (ahead->store != by) co_return storage::begun_upload();
        ahead->decide(parts_ahead::fate::wanted);  // no more parts
        while (ahead->sending) co_await ahead->changed.async_wait(use_task);
        unless_taken.of = nullptr;
        ahead->decide(parts_ahead::fate::taken);
        co_return std::move(ahead->upload);
    }

private:
    executor ex_;
    target_list targets_;
    std::shared_ptr<const gathered_object> about_;
    std::map<storage::destination, std::shared_ptr<parts_ahead>> ahead_{};
    bool followed_ = false;
};

}  // namespace firehose::stages
