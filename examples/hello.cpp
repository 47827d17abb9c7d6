// Lines in, files out: each JSON line of standard input becomes out/<lead id>/<event id>.json.
#include "stages/stages.hpp"

#include <iostream>

using namespace firehose;

task<> lines_to_files(context& x) {
    stages::workbench_options where;  // directories below ".", the spool in "data"
    auto bench = co_await stages::workbench::open(x, where);
    if (!bench) throw std::runtime_error(bench.error().context());
    auto to_files = stages::everything_to({.service = "local", .type = "directory", .bucket = "out"});

    auto pipeline = stages::ingest_lines("-", {}) | stages::normalize_config((*bench)->routing(to_files)) |
                    stages::upload((*bench)->delivery(), stages::every_service());
    co_await pipeline.run(x);
    std::cout << (*bench)->books()->accepted() << " events accepted\n";
}

int main() {
    const auto report = run(lines_to_files);
    if (!report.what.empty()) std::cerr << report.what << "\n";
    return report.how == ending::finished ? 0 : 1;
}
