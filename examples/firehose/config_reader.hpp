/// Walks a JSON document and collects faults instead of stopping at the first.
#pragma once
#include "examples/firehose/config.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::app {

/// The bytes of a regular file, or of a pipe; none when they cannot be had.
std::optional<std::string> read_file(const std::filesystem::path& path);

/// A member's name as one step of a JSON Pointer (RFC 6901).
std::string escape_pointer(std::string_view name);

/// One object of the document and where it is. Reading a member of a wrong type or range notes a fault and
/// leaves the default. Borrowed: the document and the list of faults outlive it.
class object_reader {
public:
    object_reader(const boost::json::object& object, std::string pointer, std::vector<fault>& faults)
        : object_(&object), pointer_(std::move(pointer)), faults_(&faults) {}

    /// Notes every member that is not in the list, with the nearest name that is.
    void only(std::initializer_list<std::string_view> known) const;

    /// The member, or null when it is absent or null.
    const boost::json::value* find(std::string_view name) const;
    std::optional<object_reader> object(std::string_view name) const;
    void read(std::string_view name, std::string& out) const;
    void read(std::string_view name, bool& out) const;
    void read(std::string_view name, std::size_t& out, std::uint64_t least, std::uint64_t most) const;
    void read(std::string_view name, unsigned& out, unsigned least, unsigned most) const;
    void read(std::string_view name, std::chrono::milliseconds& out) const;
    /// A string, {"env": NAME} or {"file": PATH}; the file's last newline is left out. Faults never
    /// quote the value.
    void read_secret(std::string_view name, const std::filesystem::path& base, secrets how,
                     storage::secret& out, std::vector<fault>& warnings) const;
    /// A JSON Pointer, a list of them, or null for none.
    void read_pointers(std::string_view name, std::vector<std::string>& out) const;

    /// A reader of `object` as if it stood at the member; borrowed like this one's.
    object_reader part(std::string_view name, const boost::json::object& object) const {
        return {object, at(name), *faults_};
    }

    void fail(std::string_view name, std::string message) const;
    std::string at(std::string_view name) const;
    const boost::json::object& value() const noexcept { return *object_; }

private:
    std::optional<std::uint64_t> number(std::string_view name, std::uint64_t least, std::uint64_t most) const;

    const boost::json::object* object_;
    std::string pointer_;
    std::vector<fault>* faults_;
};

}  // namespace firehose::app
