#include "storage/file_put.hpp"

#include "pipeline/blocking.hpp"
#include "storage/multipart_plan.hpp"

#include <utility>

namespace firehose::storage {
namespace {

class parts_of_file final : public part_source {
public:
    parts_of_file(context& x, const body_file& body, semaphore* room) : x_(x), body_(body), room_(room) {}
    std::uint64_t size() const noexcept override { return body_.size(); }
    task<result<part>> read(byte_range which) override { return read_part(x_, body_, which, room_); }

private:
    context& x_;
    const body_file& body_;
    semaphore* room_;
};

}  // namespace

task<result<part_source::part>> read_part(context& x, const body_file& body, byte_range which,
                                          semaphore* room) {
    part_source::part out;
    if (room) out.room = co_await room->acquire();
    auto work = [&body, which] { return body.read(which); };
    auto reading = run_blocking(x.blocking, std::move(work));
    auto bytes = co_await std::move(reading);
    if (bytes.has_error()) co_return bytes.error();
    out.bytes.push_back(bytes->bytes);
    out.backing = std::move(bytes->backing);
    co_return std::move(out);
}

task<result<object_info>> put_from_file(store& to, context& x, const std::string& key, const body_file& body,
                                        const put_options& how, const file_put_options& options,
                                        begun_upload so_far) {
    const auto plan = plan_parts(body.size(), to.can(), options.parts);
    const bool in_parts = plan && (plan->count > 1 || so_far.upload);
    if (in_parts) {
        parts_of_file source(x, body, options.room);
        multipart_options parts;
        parts.parts = options.parts;
        parts.request_timeout = options.request_timeout;
        parts.answered = options.answered;
        const auto no_deadline = time_source::steady::max();
        auto sending = upload_in_parts(to, x, key, source, how, no_deadline, parts, std::move(so_far));
        co_return co_await std::move(sending);
    }
    if (to.can().put_file) {
        const auto deadline = x.time.now() + options.request_timeout;
        co_return co_await to.put_file(key, body, how, deadline);
    }
    const byte_range all{0, body.size()};
    auto whole = co_await read_part(x, body, all, options.room);
    if (whole.has_error()) co_return whole.error();
    const auto deadline = x.time.now() + options.request_timeout;
    co_return co_await to.put(key, whole->bytes, how, deadline);
}

}  // namespace firehose::storage
