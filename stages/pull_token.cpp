#include "stages/pull_token.hpp"

#include "http/digest.hpp"
#include "pipeline/blocking.hpp"
#include "storage/azure_identity.hpp"
#include "storage/flat_json.hpp"
#include "storage/provider_answer.hpp"
#include "storage/text_hash.hpp"
#include "storage/unsigned_call.hpp"

#include <algorithm>
#include <array>

namespace firehose::stages {
namespace {

using storage::credential_value;
using storage::secret;

class token_in_file final : public storage::credential_provider {
public:
    token_in_file(storage::provider_parts parts, std::string path)
        : parts_(std::move(parts)), path_(std::move(path)) {}
    std::string describe() const override { return path_; }
    std::chrono::seconds believe() const override { return storage::file_belief; }
    task<result<credential_value>> fetch(time_source::steady) override {
        auto text = co_await storage::read_secret_file(parts_, path_);
        if (text.has_error()) co_return text.error();
        credential_value out;
        out.bearer = secret(std::move(*text));
        // An empty file is one that is being written.
        if (!is_bearer_token(out.bearer.reveal()))
            co_return error(disposition::retry, path_ + " holds no token: one line, without blanks");
        co_return out;
    }

private:
    storage::provider_parts parts_;
    std::string path_;
};

/// RFC 6749 section 2.3.1: name and secret are form-encoded before they are joined.
std::string basic_credentials(const oauth_client& who) {
    std::string pair =
        http::encode_query(who.client_id) + ":" + http::encode_query(who.client_secret.reveal());
    auto out = "Basic " + http::to_base64(as_bytes(pair));
    storage::wipe(pair);
    return out;
}

/// Tells the configured token from the one it replaced, without being either.
std::string name_of(const secret& token) { return storage::sha256_hex(token.reveal()); }

}  // namespace

bool is_bearer_token(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

result<token_answer> parse_token_answer(std::string_view body, time_source::wall now) {
    const auto wrong = [](const std::string& why) {
        return error(disposition::retry, "the answer holds no access token: " + why);
    };
    const auto said = storage::flat_json::parse(body);
    if (!said) return wrong("it is not a JSON object");
    token_answer out;
    out.value.bearer = said->get("access_token");
    if (out.value.bearer.empty()) return wrong("there is no access_token");
    if (!is_bearer_token(out.value.bearer.reveal())) return wrong("it is malformed");
    if (const auto seconds = storage::whole_number(said->text("expires_in"))) {
        constexpr std::uint64_t a_year = 366ULL * 24 * 3600;
        out.value.expires = now + std::chrono::seconds(std::min(*seconds, a_year));
    }
    out.refresh_token = said->get("refresh_token");
    return out;
}

refreshed_token::refreshed_token(storage::provider_parts parts, storage::file_system& fs,
                                 const std::filesystem::path& directory, oauth_client who)
    : parts_(std::move(parts)),
      fs_(fs),
      file_(directory / "refresh_token"),
      who_(std::move(who)),
      current_(who_.refresh_token) {}

std::string refreshed_token::describe() const { return http::describe(who_.to) + who_.target; }

/// The token that replaced the configured one, if there is one. Another process may have done so.
task<> refreshed_token::recall() {
    auto work = [&]() -> result<std::string> {
        auto opened = storage::uninterrupted([&] { return fs_.open(file_, storage::open_how::read); });
        if (opened.has_error()) return opened.error();
        std::string text(64 * 1024, '\0');
        auto got = storage::read_fully(**opened, std::as_writable_bytes(std::span(text)), 0);
        if (got.has_error()) return got.error();
        text.resize(*got);
        return text;
    };
    auto text = co_await run_blocking(parts_.shard.blocking, std::move(work));
    if (text.has_error()) {
        if (!storage::is_errno(text.error(), ENOENT))
            parts_.shard.log.warning("a renewed refresh token cannot be read; the configured one is tried",
                                     {{"reason", text.error().context()}});
        co_return;
    }
    const auto start = name_of(who_.refresh_token) + "\n";
    if (text->starts_with(start) && text->ends_with('\n')) {
        auto token = text->substr(start.size(), text->size() - start.size() - 1);
        if (is_bearer_token(token)) current_ = secret(std::move(token));
    }
    storage::wipe(*text);
}

task<result<>> refreshed_token::keep(secret replaced) {
    const secret text(name_of(who_.refresh_token) + "\n" + replaced.reveal() + "\n");
    auto write = [&] {
        auto made = storage::make_directories(fs_, file_.parent_path());
        return made.has_error() ? made : storage::replace_file(fs_, file_, as_bytes(text.reveal()));
    };
    auto written = co_await run_blocking(parts_.shard.blocking, std::move(write));
    current_ = std::move(replaced);
    file_is_old_ = written.has_error();
    co_return written;
}

task<result<credential_value>> refreshed_token::fetch(time_source::steady deadline) {
    if (!file_is_old_) co_await recall();
    storage::unsigned_call call;
    call.to = who_.to;
    call.method = "POST";
    call.target = who_.target;
    call.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    call.headers.emplace_back("Accept", "application/json");
    std::string body = "grant_type=refresh_token&refresh_token=" + http::encode_query(current_.reveal());
    if (who_.client_secret.empty())
        body += "&client_id=" + http::encode_query(who_.client_id);
    else
        call.headers.emplace_back("Authorization", basic_credentials(who_));
    call.body = secret(std::move(body));
    call.each = std::chrono::milliseconds(5'000);
    call.refusal = storage::token_refusal;
    auto answer = co_await storage::ask(parts_, std::move(call), deadline);
    if (answer.has_error()) co_return answer.error();
    auto said = parse_token_answer(answer->reveal(), parts_.shard.time.wall_now());
    if (said.has_error()) co_return error(said.error().what(), describe() + ": " + said.error().context());
    const bool replaced =
        is_bearer_token(said->refresh_token.reveal()) && !storage::equal(said->refresh_token, current_);
    if (replaced) {
        auto kept = co_await keep(std::move(said->refresh_token));
        if (kept.has_error())
            parts_.shard.log.error(
                "a renewed refresh token is only in memory: after a restart the configured "
                "one is used, which the server may refuse",
                {{"reason", kept.error().context()}});
    }
    co_return std::move(said->value);
}

std::shared_ptr<storage::credential_source>
make_pull_token(const pull_credential& with, const storage::provider_parts& parts, storage::file_system& fs,
                const std::filesystem::path& directory, const std::string& name) {
    std::shared_ptr<storage::credential_provider> from;
    if (with.oauth) {
        from = std::make_shared<refreshed_token>(parts, fs, directory, *with.oauth);
    } else if (!with.token_file.empty()) {
        from = std::make_shared<token_in_file>(parts, with.token_file);
    } else {
        credential_value value;
        value.bearer = with.token;
        return storage::fixed_credential(std::move(value), "the configuration");
    }
    return std::make_shared<storage::refreshed_credential>(parts.shard, std::move(from), name);
}

}  // namespace firehose::stages
