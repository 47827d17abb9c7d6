/// What the directory spool writes into its journals: records and what became of them. No I/O.
#pragma once
#include "stages/spool_backend.hpp"
#include "storage/journal.hpp"
#include "storage/journal_format.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firehose::stages::spool_record {

/// Types of journal records. The numbers are part of the file format (storage/JOURNAL.md).
namespace kind {
inline constexpr std::uint16_t put = 1;  ///< header and body of an undelivered record; its sequence names it
inline constexpr std::uint16_t settled = 2;  ///< sequences that are finished: delivered, or dead letters now
inline constexpr std::uint16_t failed = 3;   ///< one sequence with a new schedule and the reason
inline constexpr std::uint16_t leased =
    4;  ///< sequences taken for sending, with the attempt each is about to be
inline constexpr std::uint16_t returned =
    5;                                     ///< sequences given back untried, with the attempts each has had
inline constexpr std::uint16_t moved = 6;  ///< as put, in place of the record that had another sequence
}  // namespace kind

/// What is needed to schedule a record without parsing its header.
struct schedule {
    unsigned attempts = 0;
    time_source::wall next_at{};
    time_source::wall first_failed_at{};
};

/// Everything of a `put` payload before the body.
std::string encode_put(const spool_header& header);
struct put_view {
    schedule when{};
    bytes_view header{};  ///< JSON
    bytes_view body{};
};
/// Empty for bytes that are no `put`.
std::optional<put_view> parse_put(bytes_view payload);
/// Empty when the JSON is not what encode_put() writes. The schedule comes from the fixed part.
std::optional<spool_header> parse_header(const put_view& put);

std::string encode_sequences(std::span<const storage::sequence> all);
std::vector<storage::sequence> parse_sequences(bytes_view payload);

struct attempt {
    storage::sequence record = 0;
    unsigned attempts = 0;
};
std::string encode_attempts(std::span<const attempt> all);
std::vector<attempt> parse_attempts(bytes_view payload);

struct failed_view {
    storage::sequence record = 0;
    unsigned attempts = 0;
    time_source::wall next_at{};
    bytes_view why{};  ///< JSON
};
std::string encode_failed(storage::sequence record, const failed& what,
                          const std::vector<attempt_note>& history);
std::optional<failed_view> parse_failed(bytes_view payload);
failure parse_failure(bytes_view json);
std::vector<attempt_note> parse_history(bytes_view json);

/// A record that was written anew under another sequence.
struct moved_view {
    storage::sequence from = 0;
    put_view put{};
};
/// Everything of a `moved` payload before the body.
std::string encode_moved(storage::sequence from, const spool_header& header);
std::optional<moved_view> parse_moved(bytes_view payload);

/// Header and body of a journal record that is a put or a moved; both are views into it. Nothing if it is
/// neither, or its JSON cannot be read.
struct kept_view {
    spool_header header{};
    bytes_view body{};
};
std::optional<kept_view> read_kept(const storage::journal_record& record);
/// Whether it is a put or a moved whose body lies in a file.
bool has_file(const storage::recovered_record& record);
/// What a `failed` record says of `record`, into its header. Anything else changes nothing.
void apply_mark(bytes_view payload, storage::sequence record, spool_header& header);

/// For the human who looks into the directory.
std::string describe_json(const storage::destination& to);

}  // namespace firehose::stages::spool_record
