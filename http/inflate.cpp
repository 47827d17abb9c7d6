#include "http/inflate.hpp"

#include <zlib.h>

#include <array>
#include <new>

namespace firehose::http {
namespace {

error refused(int status, std::string code, std::string text) {
    error_details d;
    d.status = status;
    d.provider_code = std::move(code);
    d.context = std::move(text);
    return {disposition::park, std::move(d)};
}

class gzip_reader final : public body_reader {
public:
    gzip_reader(body_reader& from, inflate_limits most) : from_(from), most_(most) {
        constexpr int gzip_only = 16 + MAX_WBITS;
        if (::inflateInit2(&stream_, gzip_only) != Z_OK) throw std::bad_alloc();
    }
    gzip_reader(const gzip_reader&) = delete;
    ~gzip_reader() override { ::inflateEnd(&stream_); }

    task<result<bytes_view>> next() override {
        for (;;) {
            if (stream_.avail_in == 0 && !more_out_) {
                auto piece = co_await from_.next();
                if (piece.has_error()) co_return piece.error();
                if (piece->empty() && !member_ended_)
                    co_return refused(400, "bad_gzip", "the gzip body ends too early");
                if (piece->empty()) co_return bytes_view();
                feed(*piece);
            }
            auto made = step();
            if (made.has_error() || !made->empty()) co_return made;
        }
    }

private:
    void feed(bytes_view piece) {
        // zlib wants a pointer to non-const bytes and only reads through it.
        stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(piece.data()));
        stream_.avail_in = static_cast<uInt>(piece.size());
        read_ += piece.size();
    }
    result<bytes_view> step() {
        if (member_ended_) {
            if (stream_.avail_in == 0) return bytes_view();
            ::inflateReset(&stream_);
            member_ended_ = false;
        }
        stream_.next_out = out_.data();
        stream_.avail_out = static_cast<uInt>(out_.size());
        const int state = ::inflate(&stream_, Z_NO_FLUSH);
        if (state == Z_MEM_ERROR) throw std::bad_alloc();
        if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
            return refused(400, "bad_gzip", "the body says it is gzip and cannot be inflated");
        member_ended_ = state == Z_STREAM_END;
        more_out_ = stream_.avail_out == 0 && !member_ended_;
        const std::size_t made = out_.size() - stream_.avail_out;
        written_ += made;
        if (written_ > most_.bytes)
            return refused(413, "too_large",
                           "the inflated body is larger than " + std::to_string(most_.bytes) + " bytes");
        if (written_ > most_.ratio_from && written_ / most_.ratio > read_)
            return refused(413, "too_large",
                           "the body inflates to more than " + std::to_string(most_.ratio) +
                               " times its size");
        return bytes_view(reinterpret_cast<const std::byte*>(out_.data()), made);
    }

    body_reader& from_;
    inflate_limits most_;
    z_stream stream_{};
    std::array<Bytef, 64 * 1024> out_;
    std::uint64_t read_ = 0, written_ = 0;
    bool member_ended_ = false;  // and nothing of another has come
    bool more_out_ = false;
};

}  // namespace

std::unique_ptr<body_reader> inflating(body_reader& compressed, inflate_limits most) {
    return std::make_unique<gzip_reader>(compressed, most);
}

}  // namespace firehose::http
