#include "stages/distant_spool.hpp"

#include "pipeline/call_on.hpp"
#include "storage/shield.hpp"

namespace firehose::stages {

template <class T> task<T> distant_spool::ask(std::function<task<T>()> what) {
    const bool shield = co_await storage::begin_shield();
    auto answer = call_on<T>(home_, std::move(what));
    auto out = co_await std::move(answer);
    co_await storage::end_shield(shield);
    co_return out;
}

task<result<>> distant_spool::append(std::span<const spool_entry> entries) {
    std::function<task<result<>>()> what = [this, entries] { return there_.append(entries); };
    return ask(std::move(what));
}

task<result<>> distant_spool::park(std::span<const spool_entry> entries) {
    std::function<task<result<>>()> what = [this, entries] { return there_.park(entries); };
    return ask(std::move(what));
}

task<result<std::vector<leased_record>>> distant_spool::lease(const lease_query& which) {
    std::function<task<result<std::vector<leased_record>>>()> what = [this, &which] {
        return there_.lease(which);
    };
    return ask(std::move(what));
}

task<result<>> distant_spool::settle(lease_id lease, const settlement& what) {
    std::function<task<result<>>()> settling = [this, lease, &what] { return there_.settle(lease, what); };
    return ask(std::move(settling));
}

}  // namespace firehose::stages
