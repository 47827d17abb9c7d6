/// A page of metrics under construction: families in order, each with its rows.
#pragma once
#include "examples/firehose/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace firehose::app {

inline double as_double(std::uint64_t n) { return static_cast<double>(n); }

/// Rows go to the family that was started last.
class metrics_page {
public:
    using ClientMetric = prometheus::ClientMetric;
    using MetricFamily = prometheus::MetricFamily;
    using MetricType = prometheus::MetricType;
    using labels = std::vector<ClientMetric::Label>;

    void start(std::string name, std::string help, MetricType type) {
        MetricFamily f;
        f.name = "firehose_" + std::move(name);
        f.help = std::move(help);
        f.type = type;
        families_.push_back(std::move(f));
    }
    void add(labels with, double value) {
        ClientMetric m;
        m.label = std::move(with);
        m.counter.value = value;
        m.gauge.value = value;
        families_.back().metric.push_back(std::move(m));
    }
    void add(labels with, const latency_histogram& h) {
        ClientMetric m;
        m.label = std::move(with);
        std::uint64_t so_far = 0;
        for (std::size_t i = 0; i < h.counts().size(); ++i) {
            so_far += h.counts()[i];
            ClientMetric::Bucket b;
            b.cumulative_count = so_far;
            b.upper_bound = i < h.bounds.size() ? h.bounds[i] : std::numeric_limits<double>::infinity();
            m.histogram.bucket.push_back(b);
        }
        m.histogram.sample_count = so_far;
        m.histogram.sample_sum = h.sum();
        families_.back().metric.push_back(std::move(m));
    }
    void gauge(std::string name, std::string help, double value) {
        start(std::move(name), std::move(help), MetricType::Gauge);
        add({}, value);
    }
    void counter(std::string name, std::string help, double value) {
        start(std::move(name), std::move(help), MetricType::Counter);
        add({}, value);
    }
    std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

private:
    std::vector<MetricFamily> families_;
};

}  // namespace firehose::app
