#include "examples/firehose/debug.hpp"

#include "examples/firehose/exit_codes.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace firehose::app {
namespace {

struct line_verb {
    const char* name;
    const char* about;
    const char* example;
    int (*run)();
};

constexpr std::array line_verbs = {
    line_verb{
        "sigv4", "Canonical request, string to sign, Authorization and signed query of AWS's signature",
        "Takes lines {\"request\":{method,path,query,headers,body},\"credentials\":{access_key_id,"
        "secret_access_key,session_token},\n\"region\",\"service\",\"amz_date\",\"expires\",\"options\"}; "
        "\"mode\":\"s3\" takes the path as it is, \"form\":\"query\" presigns.",
        debug_sigv4},
    line_verb{"shared-key", "String to sign and signature of Azure's SharedKey",
              "Takes lines {\"method\",\"url\",\"headers\",\"account\",\"key_base64\"}.", debug_shared_key},
    line_verb{"connection-string", "Endpoint and account of a connection string, and which secret it holds",
              "Takes lines {\"connection_string\":\"AccountName=…\"}.", debug_connection_string},
    line_verb{"endpoint", "URL and signing scope of a bucket or container",
              "Takes lines {\"bucket\",\"region\",\"endpoint\",\"style\",\"key\",\"date\"} or "
              "{\"connection_string\",\"container\",\"key\"}.",
              debug_endpoint},
    line_verb{"checksum", "All checksums of standard input, spelt as the clouds' headers spell them",
              "Example: firehose debug checksum < object", debug_checksum},
};

struct store_verb {
    const char* name;
    const char* about;
};

constexpr std::array store_verbs = {
    store_verb{"put", "Stores one object in one request"},
    store_verb{"head", "Size and ETag of an object"},
    store_verb{"get",
               "Reads an object; the verdict goes to standard error when the bytes go to standard output"},
    store_verb{"list", "One page of the keys that begin with --key"},
    store_verb{"rm", "Removes an object"},
    store_verb{"multipart", "Stores one object in parts"},
};

void add_place(CLI::App& verb, debug_store_arguments& args) {
    verb.add_option("--config", args.config, "Configuration file")->required();
    verb.add_option("--set", args.settings, "Overrides one value: /pointer=value; may be repeated")
        ->take_all()
        ->allow_extra_args(false);
    verb.add_option("--credential", args.credential, "Id of a credential of the configuration")->required();
    verb.add_option("--bucket", args.bucket, "Bucket or container")->required();
    auto* key = verb.add_option("--key", args.key, "Key of the object");
    if (verb.get_name() != "list") key->required();
    verb.add_option("--type", args.type, "Kind of store; by default what the credential is for");
    verb.add_option("--attempts", args.attempts, "At most so many attempts")
        ->capture_default_str()
        ->check(CLI::Range(1, 100));
    verb.add_option("--timeout", args.timeout_s, "Seconds for all of it")
        ->capture_default_str()
        ->check(CLI::Range(1, 86'400));
}

void add_store_options(CLI::App& verb, debug_store_arguments& args) {
    const auto name = verb.get_name();
    if (name == "put" || name == "multipart") {
        verb.add_option("FILE", args.body, "The bytes; - or none: standard input");
        verb.add_option("--content-type", args.content_type, "Content-Type")->capture_default_str();
        verb.add_flag("--only-if-absent", args.only_if_absent,
                      "An object that is there stays, which is success");
    }
    if (name == "multipart") {
        verb.add_option("--part-size", args.part_size, "Bytes of each part but the last")
            ->capture_default_str()
            ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{4} << 30));
        verb.add_option("--parallel", args.parallel, "Parts at a time")
            ->capture_default_str()
            ->check(CLI::Range(1, 64));
    }
    if (name == "get") {
        verb.add_option("--out", args.out, "File for the bytes; by default standard output");
        verb.add_option("--first", args.first, "First byte")->capture_default_str();
        verb.add_option("--count", args.count, "How many bytes; 0: to the end")->capture_default_str();
    }
    if (name == "list") verb.add_option("--from", args.from, "The \"next\" of the page before");
}

}  // namespace

debug_command::debug_command(CLI::App& app)
    : verb_(app.add_subcommand(
          "debug", "For conformance tools: signatures, endpoints, checksums, single operations")) {
    verb_->require_subcommand(1);
    verb_->footer(
        "JSON in, JSON out. Exit codes: 0 all was answered or done, 1 the store did not do it, 3 a line "
        "was refused.\nExample: firehose debug put --config firehose.json --credential 507f… --bucket b "
        "--key k FILE");
    for (const auto& one : line_verbs) verb_->add_subcommand(one.name, one.about)->footer(one.example);
    for (const auto& one : store_verbs) {
        auto* verb = verb_->add_subcommand(one.name, one.about);
        add_place(*verb, store_);
        add_store_options(*verb, store_);
    }
}

debug_command::operator bool() const { return verb_->parsed(); }

int debug_command::run() {
    const auto asked = verb_->get_subcommands().front()->get_name();
    const auto line = std::ranges::find(line_verbs, asked, &line_verb::name);
    if (line != line_verbs.end()) return line->run();
    store_.operation = asked;
    for (const auto& setting : store_.settings) {
        const auto equals = setting.find('=');
        if (!setting.starts_with('/') || equals == std::string::npos) {
            std::fputs("error: --set must look like /pointer=value\n", stderr);
            return exit_code::usage;
        }
        store_.overrides.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
    }
    return debug_store(store_);
}

}  // namespace firehose::app
