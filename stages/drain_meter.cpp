#include "stages/drain_meter.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cmath>

namespace firehose::stages {
namespace json = boost::json;

bool drain_meter::delivered(time_source::steady now) {
    if (!begun_ || now - told_ > valid) {
        begun_ = now;
        told_ = now;
        count_ = 0;
        rate_ = 0;
    }
    ++count_;
    const auto passed = now - *begun_;
    if (passed < window) return false;
    const double measured = static_cast<double>(count_) / std::chrono::duration<double>(passed).count();
    rate_ = rate_ > 0 ? (rate_ + measured) / 2 : measured;
    begun_ = now;
    told_ = now;
    count_ = 0;
    return true;
}

double drain_meter::rate(time_source::steady now) const { return now - told_ <= valid ? rate_ : 0; }

std::string drain_meter::to_json(time_source::wall now) const {
    const auto at = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    const json::object out{{"at", at}, {"per_second", std::round(rate_ * 1000) / 1000}};
    return json::serialize(out) + "\n";
}

double drain_meter::from_json(std::string_view text, time_source::wall now) {
    error_code ec;
    const json::value parsed = json::parse(text, ec);
    if (ec || !parsed.is_object()) return 0;
    const auto* const at = parsed.get_object().if_contains("at");
    const auto* const rate = parsed.get_object().if_contains("per_second");
    if (at == nullptr || rate == nullptr || !at->is_int64()) return 0;
    const time_source::wall told{std::chrono::seconds(at->get_int64())};
    if (now - told > valid || told - now > valid) return 0;
    const double value = rate->to_number<double>(ec);
    return ec || !std::isfinite(value) || value < 0 ? 0 : value;
}

}  // namespace firehose::stages
