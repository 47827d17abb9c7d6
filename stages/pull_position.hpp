/// Where a pulled stream goes on after a restart: a position in a file of its own.
#pragma once
#include "pipeline/stage.hpp"
#include "storage/file_system.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace firehose::stages {

/// `<directory>/position`: the position, the stream it belongs to, and a CRC-32C over both, a line each;
/// replaced as a whole, so that a crash leaves the old or the new one. `<directory>/lock` is held as long as
/// the object lives. Whoever saves a position has seen to it that everything before it is durable.
class pull_position {
public:
    /// Makes the directory. `stream` names the stream for people ("https://host/v3/leads/stream"). A file
    /// that is damaged or of another stream is an error that says what to do: a position is never guessed.
    static task<result<std::unique_ptr<pull_position>>>
    open(context& x, storage::file_system& fs, std::filesystem::path directory, std::string stream);

    /// The position that is on disk; empty when there is none yet.
    const std::string& stored() const noexcept { return stored_; }

    /// Success: it survives a power cut. May be cancelled before it begins. Not while another runs.
    task<result<>> save(std::string position);

private:
    pull_position(context& x, storage::file_system& fs, std::filesystem::path directory, std::string stream);
    result<> take();

    context& x_;
    storage::file_system& fs_;
    std::filesystem::path directory_;
    std::string stream_;
    std::unique_ptr<storage::file> lock_{};
    std::string stored_{};
};

/// The file's text, and back; pure. parse gives an error in words for a text that is damaged or belongs to
/// another stream.
std::string position_text(const std::string& position, const std::string& stream);
result<std::string> parse_position_text(std::string_view text, const std::string& stream);

}  // namespace firehose::stages
