#include "examples/firehose/check_request.hpp"

#include "http/accept.hpp"
#include "storage/azure_store.hpp"
#include "storage/connection_string.hpp"
#include "storage/credential_rules.hpp"
#include "storage/object_key.hpp"
#include "storage/s3_location.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace firehose::app {
namespace {

namespace json = boost::json;

/// Credentials have ids; this one is never saved under it.
constexpr const char* nobodys_id = "000000000000000000000000";

constexpr std::array<std::string_view, 10> parameter_names{
    "service", "access_key_id", "secret_access_key", "connection_string", "bucket",
    "prefix",  "flow_id",       "verification_file", "endpoint",          "region"};

error wrong_request(std::string sentence) { return {disposition::park, std::move(sentence)}; }

bool is_flow_id(std::string_view text) {
    return text.size() == 24 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
           });
}

std::string without_blanks(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

/// Reads one request; the first thing that is wrong with it is what is said.
class request_reader {
public:
    request_reader(check_fields& fields, check_form form, const check_settings& how)
        : fields_(fields), form_(form), how_(how) {}

    result<check_request> read(time_source::wall now) {
        if (auto twice = repeated(); !twice.empty()) return wrong_request(twice + " is given more than once");
        const auto service = value("service");
        if (!service.empty() && service != "aws" && service != "azure")
            return wrong_request("service must be \"aws\" or \"azure\"");
        out_.to.type = service == "azure" ? "azure" : "s3";
        out_.to.service = service == "azure" ? "azure" : "aws";
        out_.to.credential_id = out_.with.id = nobodys_id;
        out_.with.ca_file = how_.ca_file;
        for (const auto step : {&request_reader::what_is_there, &request_reader::bucket,
                                &request_reader::credential, &request_reader::place}) {
            auto sentence = (this->*step)();
            if (!sentence.empty()) return wrong_request(std::move(sentence));
        }
        if (auto sentence = file(now); !sentence.empty()) return wrong_request(std::move(sentence));
        return std::move(out_);
    }

private:
    std::string repeated() const {
        for (const auto name : parameter_names)
            if (std::ranges::count(fields_, name, &check_fields::value_type::first) > 1)
                return std::string(name);
        return {};
    }
    std::string value(std::string_view name) const {
        const auto found = std::ranges::find(fields_, name, &check_fields::value_type::first);
        return found == fields_.end() ? std::string() : found->second;
    }

    std::string what_is_there() {
        const auto required =
            out_.azure() ? std::vector<std::string_view>{"connection_string", "bucket"}
                         : std::vector<std::string_view>{"access_key_id", "secret_access_key", "bucket"};
        for (const auto name : required) {
            auto text = storage::secret(value(name));
            if (text.empty()) return std::string(name) + " is required";
        }
        if (out_.azure() && !value("endpoint").empty())
            return "endpoint is for aws only: Azure's stands in the connection string, as BlobEndpoint";
        return {};
    }

    std::string bucket() {
        out_.to.bucket = value("bucket");
        if (out_.azure() && !storage::container_problem(out_.to.bucket).empty())
            return "bucket must be a container's name: 3 to 63 lower-case letters, digits and single '-', "
                   "with a "
                   "letter or digit at both ends";
        if (!out_.azure() && !storage::s3_bucket_problem(out_.to.bucket).empty())
            return "bucket must be a bucket's name: 3 to 63 lower-case letters, digits, '-' and '.', with a "
                   "letter "
                   "or digit at both ends and around each '.', and not digits and dots alone";
        return {};
    }

    std::string credential() {
        auto& with = out_.with;
        with.type = out_.azure() ? "token" : "user";
        if (out_.azure()) {
            with.token = storage::secret(value("connection_string"));
            return {};
        }
        with.username = without_blanks(value("access_key_id"));
        auto key = value("secret_access_key");
        // The alphabet of such keys has '+' and no blank.
        if (form_ == check_form::query) std::ranges::replace(key, ' ', '+');
        with.password = storage::secret(std::move(key));
        with.endpoint = value("endpoint").empty() ? how_.s3_endpoint : value("endpoint");
        with.region = value("region").empty() ? how_.s3_region : value("region");
        if (!storage::is_region(with.region))
            return "region may hold lower-case letters, digits and '-' only, as in \"eu-central-1\"";
        if (!storage::aws_credential_problem(with, {}).empty())
            return "access_key_id must be an access key id: visible characters without '/' and ','";
        return {};
    }

    /// Where it leads, as far as that can be seen without looking anything up.
    std::string place() { return out_.azure() ? azure_place() : s3_place(); }

    std::string azure_place() {
        auto at = storage::parse_connection_string(out_.with.token.reveal());
        if (!at.has_value()) return "connection_string: " + at.error().context();
        if (at->key.empty() && at->sas.empty())
            return "connection_string: it has neither AccountKey nor SharedAccessSignature";
        if (!at->sas.empty() && !storage::sas_query(at->sas).has_value())
            return "connection_string: its SharedAccessSignature is malformed";
        return guarded(at->endpoint.to, "connection_string");
    }

    std::string s3_place() {
        auto at = storage::locate_s3(out_.with, out_.to.bucket, out_.with.region);
        if (!at.has_value()) return "endpoint must be a URL of the form https://host[:port][/path]";
        return guarded(at->to, "endpoint");
    }

    std::string guarded(const http::authority& to, const std::string& name) const {
        if (how_.guard.check(to).has_value()) return {};
        if (how_.guard.development)
            return name + " must lead to this machine or to a public server, by http or https";
        std::string ports;
        for (const auto port : how_.guard.ports)
            ports.append(ports.empty() ? " at port " : " or ").append(std::to_string(port));
        return name + " must lead to a public server by https" + ports;
    }

    std::string file(time_source::wall now) {
        const auto flow = value("flow_id");
        if (!flow.empty() && !is_flow_id(flow)) return "flow_id must be 24 hexadecimal digits";
        const auto wanted = value("verification_file");
        if (!wanted.empty() && wanted != "true" && wanted != "false")
            return "verification_file must be \"true\" or \"false\"";
        auto prefix = storage::normalize_prefix(value("prefix"));
        constexpr std::size_t longest = 900;  // of the 1,024 bytes of a key; an event's ids come behind it
        if (prefix.size() > longest)
            return "prefix must not be longer than " + std::to_string(longest) + " bytes";
        const bool control =
            std::ranges::any_of(prefix, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
        if (control) return "prefix must not hold control characters";
        if (wanted == "false") return {};
        const bool under_prefix = !prefix.empty() && (!out_.azure() || how_.azure_prefix);
        out_.key = under_prefix ? prefix + "/" : std::string();
        out_.key += verification_file_name(flow, now);
        return {};
    }

    const check_fields& fields_;
    check_form form_;
    const check_settings& how_;
    check_request out_{};
};

}  // namespace

result<check_request> read_check_request(check_fields& fields, check_form how, const check_settings& settings,
                                         time_source::wall now) {
    auto read = request_reader(fields, how, settings).read(now);
    for (auto& [name, value] : fields) storage::wipe(value);
    return read;
}

result<check_fields> fields_of_json(std::string_view body) {
    boost::system::error_code ec;
    const auto document = json::parse(json::string_view(body.data(), body.size()), ec);
    if (ec || !document.is_object()) return wrong_request("the body must be one JSON object");
    check_fields out;
    for (const auto& [name, value] : document.get_object()) {
        const bool known =
            std::ranges::find(parameter_names, std::string_view(name)) != parameter_names.end();
        if (!known || value.is_null()) continue;
        if (value.is_bool())
            out.emplace_back(std::string(name), value.get_bool() ? "true" : "false");
        else if (value.is_string())
            out.emplace_back(std::string(name), std::string(value.get_string()));
        else
            return wrong_request(std::string(name) + " must be a string");
    }
    return out;
}

std::string verification_file_name(std::string_view flow_id, time_source::wall now) {
    using namespace std::chrono;
    const auto moment = floor<milliseconds>(now);
    const auto day = floor<days>(moment);
    const year_month_day date(day);
    const hh_mm_ss time(moment - day);
    std::array<char, 64> stamp{};
    std::snprintf(stamp.data(), stamp.size(), "%04d%02u%02u%02d%02d%02d%03d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    std::string name = "leadconduit_verification_";
    if (!flow_id.empty()) name.append(flow_id).append("_");
    return name.append(stamp.data()).append(".txt");
}

bool accepts_json(const http::header_list& headers) {
    return http::find_header(headers, "Accept") != nullptr && http::accepts(headers, "application/json");
}

}  // namespace firehose::app
