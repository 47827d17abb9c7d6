// What a user's first program needs: a target to link, headers that are found, and a task that runs.
#include "pipeline/task.hpp"
#include "storage/memory_store.hpp"
#include "storage/object_key.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <iostream>

using namespace firehose;

task<> deliver(storage::store& store, std::string key) {
    const storage::payload body{as_bytes("{}")};
    const storage::put_options how;
    auto put = co_await store.put(key, body, how, time_source::steady::max());
    if (put) std::cout << put->key << " " << put->size << "\n";
}

int main() {
    asio::io_context io(1);
    storage::memory_store store;
    asio::co_spawn(io, deliver(store, storage::event_key("in", "lead/1", "event")), asio::detached);
    io.run();
    return store.bucket().objects.contains("in/lead%2F1/event.json") ? 0 : 1;
}
