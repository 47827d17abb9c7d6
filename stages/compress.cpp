#include "stages/compress.hpp"

#include "stages/deflate.hpp"

#include <zstd.h>

#include <array>
#include <stdexcept>
#include <string>

namespace firehose::stages {
namespace {

class plain_packer final : public packer {
public:
    void append(packed_bytes& to, bytes_view block) override {
        to.bytes.append(block);
        to.unpacked += block.size();
    }
    void finish(packed_bytes&) override {}
};

void append_le32(byte_buffer& to, std::uint32_t n) {
    for (unsigned shift = 0; shift < 32; shift += 8) to.push_back(static_cast<std::byte>(n >> shift));
}

class gzip_packer final : public packer {
public:
    void append(packed_bytes& to, bytes_view block) override {
        if (block.empty()) return;
        begin(to);
        scratch_.reserve(deflater::bound(block.size()));
        to.bytes.append(deflater_.pack(block, scratch_));
        to.crc = deflater::crc32(to.crc, block);
        to.unpacked += block.size();
    }
    void finish(packed_bytes& to) override {
        begin(to);
        static constexpr std::array<std::byte, 2> last_block{std::byte{3}, std::byte{0}};  // empty, final
        to.bytes.append(last_block);
        append_le32(to.bytes, to.crc);
        append_le32(to.bytes, static_cast<std::uint32_t>(to.unpacked));
    }

private:
    /// Magic, deflate, no flags, no time, no extra flags, system unknown.
    static void begin(packed_bytes& to) {
        static constexpr std::array<unsigned char, 10> header{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF};
        if (to.size() == 0) to.bytes.append(std::as_bytes(std::span(header)));
    }
    deflater deflater_{};
    byte_buffer scratch_{};
};

std::size_t checked(std::size_t code) {
    if (ZSTD_isError(code)) throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(code));
    return code;
}

class zstd_packer final : public packer {
public:
    zstd_packer() : context_(ZSTD_createCCtx()) {
        if (!context_) throw std::bad_alloc();
        checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, 1));
        checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
    }
    void append(packed_bytes& to, bytes_view block) override {
        if (!block.empty()) append_frame(to, block);
    }
    void finish(packed_bytes& to) override {
        if (to.size() == 0) append_frame(to, {});
    }

private:
    void append_frame(packed_bytes& to, bytes_view block) {
        scratch_.reserve(ZSTD_compressBound(block.size()));
        const auto size = checked(
            ZSTD_compress2(context_.get(), scratch_.room(), scratch_.capacity(), block.data(), block.size()));
        to.bytes.append({scratch_.room(), size});
        to.unpacked += block.size();
    }
    struct free_context {
        void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
    };
    std::unique_ptr<ZSTD_CCtx, free_context> context_;
    byte_buffer scratch_{};
};

}  // namespace

std::string_view content_encoding_of(packing how) noexcept {
    switch (how) {
        case packing::none: return "";
        case packing::gzip: return "gzip";
        case packing::zstd: return "zstd";
    }
    return "";
}

std::string_view extension_of(packing how) noexcept {
    switch (how) {
        case packing::none: return "ndjson";
        case packing::gzip: return "ndjson.gz";
        case packing::zstd: return "ndjson.zst";
    }
    return "";
}

std::unique_ptr<packer> make_packer(packing how) {
    switch (how) {
        case packing::none: break;
        case packing::gzip: return std::make_unique<gzip_packer>();
        case packing::zstd: return std::make_unique<zstd_packer>();
    }
    return std::make_unique<plain_packer>();
}

}  // namespace firehose::stages
