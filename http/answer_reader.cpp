#include "http/answer_reader.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include <algorithm>
#include <optional>
#include <string_view>

namespace firehose::http {

namespace {

namespace beast = boost::beast;

/// Writes what Beast finds straight into our answer.
class parser final : public beast::http::basic_parser<false> {
public:
    parser(response& into, const limits& accept) : into_(into), accept_(accept) {
        header_limit(static_cast<std::uint32_t>(accept.head));
        body_limit(boost::none);  // ours is stricter, and keeps the first part of refusals
        eager(true);
    }
    /// A transfer coding other than chunked hides where the answer ends.
    bool unknown_coding() const { return coded_ && !chunked(); }

private:
    void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int,
                         beast::error_code&) override {}
    void on_response_impl(int code, beast::string_view, int, beast::error_code&) override {
        into_.status = code;
        into_.headers.reserve(usual_headers);
    }
    void on_field_impl(beast::http::field name, beast::string_view text, beast::string_view value,
                       beast::error_code&) override {
        if (is_header_done()) return;  // a trailer
        coded_ = coded_ || name == beast::http::field::transfer_encoding;
        into_.headers.emplace_back(std::string(text.data(), text.size()),
                                   std::string(value.data(), value.size()));
    }
    /// A length that is too large is refused before any of the body has come.
    void on_header_impl(beast::error_code& ec) override {
        const auto length = content_length();
        if (refusal() || is_done() || !length) return;
        if (*length > accept_.body) {
            ec = beast::http::error::body_limit;
        } else {
            into_.body.reserve(static_cast<std::size_t>(*length));
        }
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
    std::size_t on_body_impl(beast::string_view part, beast::error_code& ec) override {
        const std::size_t room = (refusal() ? accept_.error_body : accept_.body) - into_.body.size();
        const std::size_t fits = std::min(room, part.size());
        into_.body.append(part.data(), fits);
        if (fits == part.size()) return part.size();
        if (!refusal()) ec = beast::http::error::body_limit;
        into_.body_truncated = true;
        return part.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view part, beast::error_code& ec) override {
        return on_body_impl(part, ec);
    }
    void on_finish_impl(beast::error_code&) override {}

    bool refusal() const { return into_.status >= 300; }

    static constexpr std::size_t usual_headers = 12;
    response& into_;
    const limits& accept_;
    bool coded_ = false;
};

}  // namespace

struct answer_reader::parts {
    explicit parts(const limits& how) : accept(how) {}
    const limits accept;
    beast::flat_buffer received{};
    response answer{};
    std::optional<parser> reading{};
    std::string problem{};
    bool begun = false;  ///< with "HTTP/"

    /// What speaks another protocol need not end its line before it is found out.
    bool speaks_http() {
        constexpr std::string_view mark = "HTTP/";
        const auto bytes = received.data();
        const std::string_view text(static_cast<const char*>(bytes.data()),
                                    std::min(bytes.size(), mark.size()));
        begun = text == mark;
        return mark.starts_with(text);
    }
    state broken(std::string why) {
        problem = std::move(why);
        return state::broken;
    }
    std::string describe(const beast::error_code& ec) const {
        if (ec == beast::http::error::body_limit)
            return "sent an answer of more than " + std::to_string(accept.body) +
                   " bytes, which is the limit";
        if (ec == beast::http::error::header_limit)
            return "sent an answer with more than " + std::to_string(accept.head) +
                   " bytes of headers, which is the limit";
        return "sent an answer that is not valid HTTP: " + ec.message();
    }
};

answer_reader::answer_reader(const limits& accept) : in_(std::make_unique<parts>(accept)) {}
answer_reader::~answer_reader() = default;

answer_reader::state answer_reader::begin(answer_body kind) {
    in_->answer = response();
    auto& p = in_->reading.emplace(in_->answer, in_->accept);
    p.skip(kind == answer_body::none);
    in_->begun = false;
    return add(0);
}

boost::asio::mutable_buffer answer_reader::room() {
    constexpr std::size_t at_once = 16 * 1024;
    return in_->received.prepare(at_once);
}

answer_reader::state answer_reader::add(std::size_t bytes) {
    in_->received.commit(bytes);
    if (in_->received.size() == 0) return state::partial;
    if (!in_->begun && !in_->speaks_http()) return in_->broken("sent an answer that is not valid HTTP");
    auto& p = *in_->reading;
    beast::error_code ec;
    const std::size_t used = p.put(in_->received.data(), ec);
    in_->received.consume(used);
    if (ec && ec != beast::http::error::need_more) return in_->broken(in_->describe(ec));
    if (!p.is_header_done()) return state::partial;
    if (in_->answer.status < 100)
        return in_->broken("sent an answer whose status is none: " + std::to_string(in_->answer.status));
    if (p.unknown_coding()) return in_->broken("sent an answer in an unknown transfer coding");
    if (p.is_done() || in_->answer.body_truncated) return state::whole;
    // Beast bounds the head, but neither chunk extensions nor trailers, which wait here until they end.
    if (in_->received.size() > in_->accept.head)
        return in_->broken("sent an answer with more than " + std::to_string(in_->accept.head) +
                           " bytes between two parts of its body, which is the limit");
    return state::partial;
}

answer_reader::state answer_reader::end() {
    auto& p = *in_->reading;
    if (!p.is_header_done()) return state::partial;
    beast::error_code incomplete;
    p.put_eof(incomplete);
    return !incomplete && p.is_done() ? state::whole : state::partial;
}

int answer_reader::status() const noexcept { return in_->answer.status; }
bool answer_reader::keep_alive() const noexcept {
    const auto& p = *in_->reading;
    return p.is_done() && p.keep_alive() && !p.need_eof() && !in_->answer.body_truncated;
}
bool answer_reader::left_over() const noexcept { return in_->received.size() > 0; }
const std::string& answer_reader::problem() const noexcept { return in_->problem; }
response answer_reader::take() { return std::move(in_->answer); }

}  // namespace firehose::http
