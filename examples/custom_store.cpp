// A store of your own: derive from store, register it under a type, name that type in the routing. This
// one appends all objects of a bucket to one file, `<bucket>.log`: a line with key and size, then the
// bytes. First it runs the contract suite on itself, as your tests should; then it takes events.
#include "pipeline/blocking.hpp"
#include "stages/stages.hpp"
#include "tests/contract/store_contract.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>

using namespace firehose;

class log_store final : public storage::store {
public:
    log_store(context& x, std::filesystem::path file) : blocking_(x.blocking), file_(std::move(file)) {
        read_index();
    }

    const storage::capabilities& can() const noexcept override { return can_; }

    task<result<storage::object_info>> put(const std::string& key, const storage::payload& body,
                                           const storage::put_options& how, time_source::steady) override {
        const auto known = sizes_.find(key);
        if (how.only_if_absent && known != sizes_.end()) co_return known->second;
        storage::object_info info;
        info.key = key;
        for (const auto& part : body) info.size += part.size();
        // Work that blocks leaves the shard; what it refers to lives until it is done.
        auto append = [this, &key, &body, size = info.size] { return append_record(key, body, size); };
        auto work = run_blocking(blocking_, append);
        const auto written = co_await std::move(work);
        if (!written) co_return written.error();
        sizes_.insert_or_assign(key, info);
        co_return info;
    }

    task<result<storage::object_info>> head(const std::string& key, time_source::steady) override {
        const auto known = sizes_.find(key);
        if (known == sizes_.end()) co_return absent(key);
        co_return known->second;
    }

    // What can() does not offer is an error that says so.
    task<result<storage::page>> list(const std::string&, const std::string&, time_source::steady) override {
        co_return not_offered("list");
    }
    task<result<>> remove(const std::string&, time_source::steady) override {
        co_return not_offered("remove");
    }
    task<result<std::unique_ptr<storage::multipart>>>
    start_multipart(const std::string&, const storage::put_options&, time_source::steady) override {
        co_return not_offered("start_multipart");
    }

private:
    static error absent(const std::string& key) {
        error_details why;
        why.context = "no object has the key " + key;
        why.provider_code = storage::not_found;
        return {disposition::park, std::move(why)};
    }
    static error not_offered(const std::string& call) {
        return {disposition::park, "log_store does not offer " + call + "()"};
    }

    result<> append_record(const std::string& key, const storage::payload& body, std::uint64_t size) {
        const std::lock_guard one_at_a_time(writing_);
        std::ofstream out(file_, std::ios::binary | std::ios::app);
        out << key.size() << ' ' << size << '\n' << key;
        for (const auto& part : body) out << as_text(part);
        out.close();  // an fstream reports a full disk no sooner
        if (!out) return error(disposition::retry, "cannot append to " + file_.string());
        return {};
    }

    void read_index() {
        std::ifstream in(file_, std::ios::binary);
        std::size_t key_size = 0;
        std::uint64_t size = 0;
        while (in >> key_size >> size && in.get() == '\n') {
            std::string key(key_size, '\0');
            in.read(key.data(), std::streamsize(key_size));
            in.seekg(std::streamoff(size), std::ios::cur);
            if (in) sizes_[key] = {.key = key, .size = size};
        }
    }

    asio::thread_pool& blocking_;
    std::filesystem::path file_;
    std::mutex writing_;
    std::map<std::string, storage::object_info> sizes_;
    storage::capabilities can_{.max_put = 1ULL << 30, .only_if_absent = true};
};

/// What the configuration and the registry need to know about the type "log".
storage::store_kind log_kind() {
    storage::store_kind kind;
    kind.check = [](const storage::destination& to, const storage::credential*) {
        return to.bucket.find('/') == std::string::npos ? ""
                                                        : "bucket must be a plain name: it becomes a file";
    };
    kind.make = [](const storage::destination& to, const storage::credential*,
                   storage::store_environment& env) -> result<std::unique_ptr<storage::store>> {
        return std::make_unique<log_store>(env.shard, env.base_directory / (to.bucket + ".log"));
    };
    return kind;
}

task<> check_then_deliver(context& x) {
    const auto scratch = std::filesystem::temp_directory_path() / ("log_store-" + std::to_string(::getpid()));
    log_store candidate(x, scratch);
    const contract::store_options how;
    const auto broken = co_await contract::check_store(candidate, x, how);
    std::filesystem::remove(scratch);
    for (const auto& promise : broken) std::cout << "broken: " << promise << "\n";
    std::cout << "contract: " << (broken.empty() ? "kept" : "broken") << "\n";

    stages::workbench_options where;
    where.stores.add("log", log_kind());
    auto bench = co_await stages::workbench::open(x, where);
    if (!bench) throw std::runtime_error(bench.error().context());
    auto to_log = stages::everything_to({.service = "archive", .type = "log", .bucket = "events"});
    auto pipeline = chain(stages::ingest_lines("-", {}), stages::normalize_config((*bench)->routing(to_log)),
                          stages::upload((*bench)->delivery(), stages::every_service()));
    co_await pipeline.run(x);
    for (const auto& [service, row] : (*bench)->books()->targets())
        std::cout << row.delivered << " delivered to " << service << "\n";
}

int main() {
    const auto report = run(check_then_deliver);
    if (!report.what.empty()) std::cerr << report.what << "\n";
    return report.how == ending::finished ? 0 : 1;
}
