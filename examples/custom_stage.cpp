// A stage of your own is a class with input_type, output_type and one coroutine. This one keeps the
// newest event of each lead within a batch and lets the others go; sample() beside it needs no class.
#include "stages/stages.hpp"

#include <iostream>
#include <unordered_map>

using namespace firehose;

class newest_of_each_lead {
public:
    using input_type = stages::event;
    using output_type = stages::event;

    task<> run(receiver<input_type> in, sender<output_type> out, context& x) {
        auto& passed_over = x.count["passed_over"];
        for (;;) {
            auto events = co_await in.next();
            if (!events) co_return;  // the stream ended; returning ends it for the next stage too
            auto newest = keep_newest(events->items());
            passed_over += events->items().size() - newest.size();
            // The batch's obligation and its bytes move on with what is left of it.
            batch<stages::event> rest(std::move(newest), events->bytes(), events->take_ack(),
                                      events->slabs());
            const auto taken = co_await out.push(rest);  // waits while the next stage is busy
            if (!taken) co_return;                       // nobody reads any more: `rest` reports `lost`
        }
    }

private:
    static std::vector<stages::event> keep_newest(const std::vector<stages::event>& all) {
        std::unordered_map<std::string, std::size_t> last;
        for (std::size_t i = 0; i < all.size(); ++i) last[all[i].group] = i;
        std::vector<stages::event> kept;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (last[all[i].group] == i) kept.push_back(all[i]);
        return kept;
    }
};

/// Work without waiting needs no class: transform() takes a function and adds no queue.
auto skip_test_leads() {
    return transform([](const stages::event& e) -> std::optional<stages::event> {
        if (e.group.starts_with("test-")) return std::nullopt;
        return e;
    });
}

task<> newest_only(context& x) {
    stages::workbench_options where;
    auto bench = co_await stages::workbench::open(x, where);
    if (!bench) throw std::runtime_error(bench.error().context());
    auto to_files = stages::everything_to({.service = "local", .type = "directory", .bucket = "newest"});

    auto pipeline =
        chain(stages::ingest_lines("-", {}), stages::normalize_config((*bench)->routing(to_files)),
              skip_test_leads(), newest_of_each_lead(),
              stages::upload((*bench)->delivery(), stages::every_service()));
    co_await pipeline.run(x);
    const auto& row = (*bench)->books()->targets().at("local");
    std::cout << row.delivered << " delivered, " << x.count["passed_over"] << " passed over\n";
}

int main() {
    const auto report = run(newest_only);
    if (!report.what.empty()) std::cerr << report.what << "\n";
    return report.how == ending::finished ? 0 : 1;
}
