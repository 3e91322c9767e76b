// waterflow verify: has the server check all that it stores.
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/terminal.h"

namespace waterflow::cli {
namespace {

absl::Status Verify(Api& api) {
  const bool on_terminal = IsTerminal(STDERR_FILENO);
  grpc::ClientContext context;
  const auto stream = api.admin->Verify(&context, v1::VerifyRequest());
  v1::VerifyResponse response;
  v1::VerifySummary summary;
  while (stream->Read(&response)) {
    if (on_terminal) std::cerr << "\r\033[K";
    switch (response.kind_case()) {
      case v1::VerifyResponse::kProblem:
        std::cout << response.problem().family() << ' '
                  << response.problem().key() << ": "
                  << response.problem().what() << std::endl;
        break;
      case v1::VerifyResponse::kProgress:
        if (!on_terminal) break;
        std::cerr << ShortBytes(response.progress().bytes_read()) << " of "
                  << ShortBytes(response.progress().bytes_total())
                  << std::flush;
        break;
      case v1::VerifyResponse::kSummary:
        summary = response.summary();
        break;
      case v1::VerifyResponse::KIND_NOT_SET:
        break;
    }
  }
  if (absl::Status s = client::FromGrpc(stream->Finish()); !s.ok()) return s;
  const std::string read = absl::StrCat(
      WithCommas(summary.generations()), " generations, ",
      WithCommas(summary.runs()), " runs, ", WithCommas(summary.blocks()),
      " blocks, ", WithCommas(summary.values()), " values, ",
      WithCommas(summary.log_groups()), " log groups (",
      ShortBytes(summary.bytes()), ")");
  if (summary.problems() > 0) {
    return absl::DataLossError(
        absl::StrCat(WithCommas(summary.problems()), " problems in ", read));
  }
  std::cout << "no problems in " << read << '\n';
  return absl::OkStatus();
}

}  // namespace

void AddVerifyCommand(CLI::App& app, Session* session) {
  CLI::App* verify = app.add_subcommand(
      "verify", "Check all that the server stores; a line for each problem");
  verify->footer(
      "Reads everything and checks that it decodes, that checksums match and\n"
      "that its parts agree, while ingest goes on. Exit code 1 when something\n"
      "is wrong. For a data directory that no server has open:\n"
      "  waterflowd verify --data-dir DIR\n"
      "Examples:\n  waterflow verify");
  verify->callback(
      [=] { session->action = [](Api& api) { return Verify(api); }; });
}

}  // namespace waterflow::cli
