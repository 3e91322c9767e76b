// waterflow backup create | list
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/table.h"
#include "client/cli/terminal.h"

namespace waterflow::cli {
namespace {

absl::Status Create(Api& api, const v1::BackupRequest& request) {
  const bool on_terminal = IsTerminal(STDERR_FILENO);
  grpc::ClientContext context;
  const auto stream = api.admin->Backup(&context, request);
  v1::BackupResponse response;
  while (stream->Read(&response)) {
    if (on_terminal) std::cerr << "\r\033[K";
    if (response.has_progress() && on_terminal) {
      std::cerr << ShortBytes(response.progress().bytes_copied()) << " copied"
                << std::flush;
    } else if (response.has_summary()) {
      const v1::BackupSummary& made = response.summary();
      std::cout << "backup " << made.backup().id() << ": "
                << ShortBytes(made.backup().bytes()) << " in "
                << WithCommas(made.backup().files()) << " files, "
                << ShortBytes(made.bytes_added()) << " of them new\n";
    }
  }
  return client::FromGrpc(stream->Finish());
}

absl::Status List(Api& api, const std::string& path) {
  v1::ListBackupsRequest request;
  request.set_path(path);
  auto backups = Call(*api.admin, &v1::Admin::Stub::ListBackups, request);
  if (!backups.ok()) return backups.status();
  Table table({">backup", "made", ">bytes", ">files"});
  for (const v1::Backup& backup : backups->backups()) {
    table.Add({absl::StrCat(backup.id()), LocalTime(backup.made_ns()),
               ShortBytes(backup.bytes()), WithCommas(backup.files())});
  }
  table.Print(std::cout);
  return absl::OkStatus();
}

std::string Absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

void AddBackupCommand(CLI::App& app, Session* session) {
  CLI::App* backup = app.add_subcommand(
      "backup", "Have the server back itself up into a folder of its machine");
  backup->require_subcommand(1);
  backup->footer(
      "Holds all that was acked when it began; ingest goes on. Files that are\n"
      "in the folder from an earlier backup are not copied again. To make a\n"
      "data directory of a backup:\n"
      "  waterflowd restore --from DIR --data-dir NEW\n"
      "Examples:\n"
      "  waterflow backup create /backup/waterflow --keep 7\n"
      "  waterflow backup list /backup/waterflow");
  auto request = std::make_shared<v1::BackupRequest>();
  auto path = std::make_shared<std::string>();
  auto keep = std::make_shared<uint32_t>(0);
  auto verify = std::make_shared<bool>(false);

  CLI::App* create = backup->add_subcommand("create", "Make a backup");
  create->add_option("DIR", *path, "Folder of backups, made when missing")
      ->type_name("")
      ->required();
  create
      ->add_option("--keep", *keep,
                   "Keep so many, the newest, and delete older ones; 0: all")
      ->type_name("N")
      ->capture_default_str();
  create->add_flag("--verify", *verify,
                   "Read all of it again and compare checksums");
  create->callback([=] {
    request->set_path(Absolute(*path));
    request->set_keep(*keep);
    request->set_verify(*verify);
    session->action = [=](Api& api) { return Create(api, *request); };
  });

  CLI::App* list = backup->add_subcommand("list", "The backups in a folder");
  list->add_option("DIR", *path, "Folder of backups")
      ->type_name("")
      ->required();
  list->callback([=] {
    session->action = [=](Api& api) { return List(api, Absolute(*path)); };
  });
}

}  // namespace waterflow::cli
