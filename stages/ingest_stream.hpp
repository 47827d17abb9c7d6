/// Source: an event stream of another service, page by page from a stored position on, until its end and on.
#pragma once
#include "http/options.hpp"
#include "pipeline/stage.hpp"
#include "stages/event.hpp"
#include "stages/pull_client.hpp"
#include "stages/pull_token.hpp"
#include "storage/file_system.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace firehose::stages {

/// The end of the stream as it is now.
enum class at_top : std::uint8_t { end, poll };
/// What a position that the server no longer keeps (410) leads to; what lay between is lost to all but
/// `stop`.
enum class on_expired : std::uint8_t { tail, top, stop };

/// Pulls `GET {path}/v3/{resource}/stream`, the Firehose API of Zendesk Sell, as its documentation describes
/// it: page by page until `meta.top`, whatever the number of items, then again after a pause.
///
/// Durable: `<directory>/position` moves only over a contiguous prefix of pages all of whose events have
/// their verdict (pull_position). A crash repeats events and passes over none. Events that come back `lost`
/// are pulled again from the stored position.
///
/// Events that are no news by sequence_check are dropped and counted (stream_repeats).
///
/// Failures: connection errors, 429, 5xx and pages that are not usable are tried again after full jitter over
/// a doubling ceiling, Retry-After being the least; what needs a person (a refused token, 403, 404) at a slow
/// pace. A page that does not arrive whole is asked for with half the limit. With `attempts` set that many
/// failures in a row end the source, and so does the first that needs a person.
///
/// Ends as `then` says at the top, on a failure that ends it, and when the shard drains, at once; then it
/// waits for the verdicts that are out, saves the position and returns. May be cancelled: the position stays
/// where it was saved last.
class ingest_stream {
public:
    using output_type = raw_event;

    struct options {
        std::string name{};                 ///< of the source, in logs
        std::filesystem::path directory{};  ///< of its position; of this source alone
        stream_place at{};
        pull_credential with{};
        std::string flow{};   ///< of events that name none
        std::string start{};  ///< where to begin without a stored position; empty: tail
        at_top then = at_top::poll;
        on_expired expired = on_expired::tail;
        unsigned limit = 100;   ///< events asked for at once
        unsigned attempts = 0;  ///< failures in a row that end it; 0: it never gives up
        bool ends_on_loss = false;
        std::size_t remember = 100'000;  ///< resources whose sequence is known; 0: repeats are passed on
        /// Pages in a row that bring nothing new and are not the top, before that counts as a failure.
        unsigned barren_pages = 1'000;
        std::chrono::milliseconds poll{5'000};      ///< between two pages at the top
        std::chrono::milliseconds apart{100};       ///< between two requests, at least
        std::chrono::milliseconds timeout{30'000};  ///< of one request, its token included
        std::chrono::milliseconds backoff{500};
        std::chrono::milliseconds backoff_cap{60'000};
        std::chrono::milliseconds probe{60'000};      ///< at least, where a person must do something
        std::chrono::milliseconds read_again{1'000};  ///< after a loss
        std::chrono::milliseconds save_every{1'000};  ///< the position
        std::size_t max_in_flight_bytes = 32 << 20;   ///< of pages without a verdict
        std::size_t max_in_flight = 1024;             ///< pages without a verdict
        http::client_options http{};                  ///< accept.body bounds a page
        http::transport_factory connect{};            ///< empty: a client of its own, with `http`
    };

    /// What became of it; shared, because the source itself moves into the pipeline.
    struct report {
        std::string failure{};  ///< not empty: it ended before the top, or did not save its position, and why
        bool lost = false;      ///< an event was neither stored nor kept; it is pulled again by the next run
        bool complete = false;  ///< it ended at the top
        std::uint64_t pages = 0, events = 0, repeats = 0, gaps = 0;
        std::string durable{};  ///< the position before which all is durable; empty: none yet
    };

    /// `fs` outlives it.
    ingest_stream(storage::file_system& fs, options how);

    std::shared_ptr<const report> outcome() const { return report_; }

    task<> run(sender<raw_event> out, context& x);

private:
    storage::file_system& fs_;
    options how_;
    std::shared_ptr<report> report_ = std::make_shared<report>();
};

}  // namespace firehose::stages
