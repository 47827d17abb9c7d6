/// Expected failures are values: result<T> with an error that says what to do about it.
#pragma once
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firehose {

using boost::system::error_code;

/// What the caller should do about an error.
enum class disposition : std::uint8_t {
    retry,      ///< the same request may succeed soon
    slow_down,  ///< retry, and send less
    park,       ///< this event can never succeed: dead letter
    stop,       ///< this destination cannot work until a person or a key rotation acts
};

std::string_view to_string(disposition what) noexcept;

/// Where an error came from. `context` is a sentence for a person: what happened, where, and what to
/// do about it; it never contains a secret or a query string.
struct error_details {
    std::string context{};        ///< "PUT lead/1.json: 503 SlowDown, request id 7F3A"
    std::string provider_code{};  ///< "SlowDown", "BlobNotFound"; empty when no provider answered
    int status = 0;               ///< HTTP status, 0 when there was no answer
    error_code code{};            ///< the system's or Asio's, when that was the cause
    std::optional<std::chrono::milliseconds> retry_after{};
};

/// Small and cheap to move; the details are behind one pointer, so result<T> stays small.
class error {
public:
    /// No error in particular; what result<T>::error() of a success gives, which needs one.
    error() : error(disposition::retry, error_details()) {}
    error(disposition what, error_details details)
        : what_(what), details_(std::make_shared<const error_details>(std::move(details))) {}
    error(disposition what, std::string context) : error(what, with_context(std::move(context))) {}

    disposition what() const noexcept { return what_; }
    const std::string& context() const noexcept { return details_->context; }
    const std::string& provider_code() const noexcept { return details_->provider_code; }
    int status() const noexcept { return details_->status; }
    const error_code& code() const noexcept { return details_->code; }
    const std::optional<std::chrono::milliseconds>& retry_after() const noexcept {
        return details_->retry_after;
    }
    const error_details& details() const noexcept { return *details_; }

private:
    static error_details with_context(std::string context) {
        error_details d;
        d.context = std::move(context);
        return d;
    }
    disposition what_;
    std::shared_ptr<const error_details> details_;
};

/// An error from a failed system call: "open(/x/y): No space left on device".
error system_call_error(disposition what, std::string_view call, std::string_view subject, int error_number);

[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

template <class T = void> using result = boost::system::result<T, error>;

}  // namespace firehose
