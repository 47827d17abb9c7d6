#include "pipeline/ack.hpp"

#include <algorithm>
#include <memory>

namespace firehose {

std::string_view to_string(outcome what) noexcept {
    switch (what) {
        case outcome::stored: return "stored";
        case outcome::spooled: return "spooled";
        case outcome::rejected: return "rejected";
        case outcome::lost: return "lost";
    }
    return "unknown";
}

ack_token ack_token::split() const {
    ack_token copy;
    if (shared_) {
        ++shared_->open;
        copy.shared_ = shared_;
    }
    return copy;
}

void ack_token::settle(outcome what) noexcept {
    auto* s = std::exchange(shared_, nullptr);
    s->worst = std::max(s->worst, what);
    if (--s->open > 0) return;
    const std::unique_ptr<shared> own(s);
    if (own->done) own->done(own->worst);
}

}  // namespace firehose
