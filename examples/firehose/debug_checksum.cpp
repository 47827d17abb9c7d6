/// firehose debug checksum: all checksums of standard input, in the spellings of the clouds' headers.
#include "examples/firehose/debug.hpp"
#include "examples/firehose/debug_lines.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "http/digest.hpp"
#include "storage/crc32c.hpp"
#include "storage/crc64nvme.hpp"

#include <boost/crc.hpp>
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <memory>
#include <new>
#include <vector>

namespace firehose::app {
namespace json = boost::json;
namespace {

/// One of OpenSSL's, fed in pieces.
class digest {
public:
    explicit digest(const EVP_MD* how) : context_(EVP_MD_CTX_new()) {
        if (!context_ || EVP_DigestInit_ex(context_.get(), how, nullptr) != 1) throw std::bad_alloc();
    }
    void add(std::span<const std::byte> bytes) {
        if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
    }
    std::vector<std::byte> finish() {
        std::vector<std::byte> out(static_cast<std::size_t>(EVP_MD_CTX_get_size(context_.get())));
        if (EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) != 1)
            throw std::bad_alloc();
        return out;
    }

private:
    struct release {
        void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
    };
    std::unique_ptr<EVP_MD_CTX, release> context_;
};

/// As AWS writes a CRC: the most significant byte first.
template <class Number> std::array<std::byte, sizeof(Number)> big_endian(Number crc) {
    std::array<std::byte, sizeof(Number)> out;
    for (std::size_t i = 0; i < out.size(); ++i)
        out[out.size() - 1 - i] = static_cast<std::byte>((crc >> (8 * i)) & 0xff);
    return out;
}

class all_checksums {
public:
    void add(std::span<const std::byte> bytes) {
        size_ += bytes.size();
        crc32_.process_bytes(bytes.data(), bytes.size());
        crc32c_ = storage::crc32c(bytes, crc32c_);
        crc64_ = storage::crc64nvme(bytes, crc64_);
        for (auto* one : {&md5_, &sha1_, &sha256_}) one->add(bytes);
    }

    json::object finish() {
        json::object out{{"bytes", size_}};
        add_crc(out, "crc32", big_endian(static_cast<std::uint32_t>(crc32_.checksum())));
        add_crc(out, "crc32c", big_endian(crc32c_));
        const auto crc64 = big_endian(crc64_);
        add_crc(out, "crc64nvme", crc64);
        out["x_ms_content_crc64"] = http::to_base64(std::vector(crc64.rbegin(), crc64.rend()));
        const auto md5 = md5_.finish();
        out["md5_hex"] = http::to_hex(md5);
        out["content_md5"] = http::to_base64(md5);
        add_hash(out, "sha1", sha1_.finish());
        add_hash(out, "sha256", sha256_.finish());
        return out;
    }

private:
    static void add_crc(json::object& out, const std::string& name, std::span<const std::byte> crc) {
        out[name] = http::to_hex(crc);
        out["x_amz_checksum_" + name] = http::to_base64(crc);
    }
    static void add_hash(json::object& out, const std::string& name, std::span<const std::byte> hash) {
        out[name + "_hex"] = http::to_hex(hash);
        out["x_amz_checksum_" + name] = http::to_base64(hash);
    }

    std::uint64_t size_ = 0;
    std::uint32_t crc32c_ = 0;
    std::uint64_t crc64_ = 0;
    boost::crc_32_type crc32_{};
    digest md5_{EVP_md5()}, sha1_{EVP_sha1()}, sha256_{EVP_sha256()};
};

}  // namespace

int debug_checksum() {
    all_checksums all;
    std::vector<std::byte> buffer(256 * 1024);
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), stdin))
        all.add(std::span(buffer).first(n));
    if (std::ferror(stdin)) {
        std::fputs("error: standard input cannot be read\n", stderr);
        return exit_code::internal;
    }
    print_line(all.finish());
    return exit_code::all_delivered;
}

}  // namespace firehose::app
