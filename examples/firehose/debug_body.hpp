/// The bytes of one object from a file or standard input, and where the bytes of one go.
#pragma once
#include "pipeline/error.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdio>
#include <span>
#include <string>

namespace firehose::app {

/// Holds the bytes as long as it lives: a file is mapped, standard input is read to its end.
class body_source {
public:
    body_source() = default;
    body_source(const body_source&) = delete;
    ~body_source();

    /// `path`: "-" or empty is standard input.
    result<> open(const std::string& path);
    std::span<const std::byte> bytes() const noexcept { return bytes_; }

private:
    std::string read_{};
    void* mapped_ = nullptr;
    std::span<const std::byte> bytes_{};
};

/// A file, or standard output. A file that was not finished is removed.
class body_sink {
public:
    body_sink() = default;
    body_sink(const body_sink&) = delete;
    ~body_sink();

    /// Empty: standard output.
    result<> open(const std::string& path);
    result<> write(const std::string& bytes);
    result<> finish();

private:
    std::string path_{};
    std::FILE* file_ = nullptr;
};

}  // namespace firehose::app
