/// Routes of what an administrator changes: one document by its id, or the list of all.
#pragma once
#include "http/router.hpp"

#include <functional>
#include <optional>
#include <string>

namespace firehose::app {

/// A request for a document, free of its connection: it is answered on the shard that owns the documents.
struct admin_request {
    std::string method{};  ///< GET, PUT or DELETE
    std::string id{};      ///< empty: the list
    std::string body{};
    std::optional<std::string> if_match{};
    std::optional<std::string> if_none_match{};
    std::string user{};  ///< for the log
};
using admin_function = std::function<task<http::answer>(admin_request)>;

/// `path`, such as "/flows", for the list, and `path`/{id} for one. All of them want the role admin. A body
/// is JSON of at most a mebibyte.
void add_admin_routes(http::router& to, const std::string& path, admin_function answer);

/// What If-Match and If-None-Match say about a document with this entity tag; nullopt: go on.
/// `etag` is empty when there is no such document.
std::optional<http::refusal> check_conditions(const admin_request& asked, const std::string& etag);

/// An entity tag, with its quotes, of what is stored.
std::string etag_of(std::string_view stored);

}  // namespace firehose::app
