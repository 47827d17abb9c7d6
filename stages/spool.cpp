#include "stages/spool.hpp"

#include "stages/keep.hpp"

namespace firehose::stages {

task<> spool::run(receiver<event> in, context&) {
    for (;;) {
        auto b = co_await in.next();
        if (!b) co_return;
        ack_token whole = b->take_ack();
        const auto owner = std::make_shared<const batch<event>>(std::move(*b));
        std::vector<delivery_job> kept;
        std::vector<delivery_job> hopeless;
        for (const auto& e : owner->items()) {
            if (!e.targets) continue;
            for (const auto& t : *e.targets) {
                if (!which_(t.to.service)) continue;
                delivery_job job(*shared_, owner, e, t, whole.split());
                const bool broken = !job.problem().empty();
                job.because(broken ? error(disposition::park, job.problem())
                                   : error(disposition::retry, reason_));
                (broken ? hopeless : kept).push_back(std::move(job));
            }
        }
        co_await park_jobs(*shared_, hopeless);
        co_await spool_jobs(*shared_, kept);
        whole.resolve(outcome::stored);
    }
}

}  // namespace firehose::stages
