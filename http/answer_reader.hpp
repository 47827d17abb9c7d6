/// Bytes in, whole answers out. All of Beast is behind it. Internal to http: not installed.
#pragma once
#include "http/message.hpp"
#include "http/options.hpp"

#include <boost/asio/buffer.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace firehose::http {

/// Whether the answer may have a body; those to HEAD and CONNECT have none whatever they say.
enum class answer_body : std::uint8_t { possible, none };

/// One per connection, for one answer after the other. Answers with a status from 300 up keep the first
/// part of their body and need not be read further; others must fit, since half an answer must never be
/// mistaken for a whole one. Trailers are read over.
class answer_reader {
public:
    enum class state : std::uint8_t {
        partial,  ///< read more into room() and add() it
        whole,    ///< or as much of it as is kept: see response::body_truncated
        broken,   ///< problem() says why
    };

    explicit answer_reader(const limits& accept);
    ~answer_reader();
    answer_reader(const answer_reader&) = delete;

    /// Begins the next answer with what had arrived beyond the last one.
    state begin(answer_body kind);
    /// Where the next bytes are to be put.
    boost::asio::mutable_buffer room();
    state add(std::size_t bytes);
    /// Nothing more will come: whole when the answer has no length and ends here.
    state end();

    int status() const noexcept;
    /// The answer is framed and the server did not ask to close; only once it is whole.
    bool keep_alive() const noexcept;
    /// Something arrived beyond the answer.
    bool left_over() const noexcept;
    /// "sent …", for an error; only after broken.
    const std::string& problem() const noexcept;
    /// Only once it is whole; then begin() anew.
    response take();

private:
    struct parts;
    std::unique_ptr<parts> in_;
};

}  // namespace firehose::http
