// waterflow project list | retention | limits
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

std::string RetentionText(int64_t age_ns) {
  if (age_ns == 0) return "default";
  if (age_ns < 0) return "forever";
  return absl::FormatDuration(absl::Nanoseconds(age_ns));
}

std::string LimitText(uint64_t limit) {
  return limit == 0 ? "no limit" : WithCommas(limit);
}

absl::Status List(Api& api) {
  auto projects = Call(*api.tracking, &v1::Tracking::Stub::ListProjects,
                       v1::ListProjectsRequest());
  if (!projects.ok()) return projects.status();
  Table table({"project", ">runs", "created", "runs are kept", ">rows/s",
               ">disk bytes", ">of them used"});
  for (const v1::Project& project : projects->projects()) {
    table.Add({project.name(), WithCommas(project.run_count()),
               LocalTime(project.created_ns()),
               RetentionText(project.retention_age_ns()),
               LimitText(project.max_rows_per_second()),
               LimitText(project.max_disk_bytes()),
               project.max_disk_bytes() == 0
                   ? ""
                   : WithCommas(project.disk_bytes())});
  }
  table.Print(std::cout);
  if (projects->projects().empty()) std::cout << "no projects\n";
  return absl::OkStatus();
}

absl::Status SetRetention(Api& api, const std::string& name,
                          const std::string& age) {
  v1::UpdateProjectRequest request;
  request.set_name(name);
  absl::Duration duration;
  if (age == "forever") {
    request.set_retention_age_ns(-1);
  } else if (age == "default") {
    request.set_retention_age_ns(0);
  } else if (absl::ParseDuration(age, &duration) &&
             duration > absl::ZeroDuration()) {
    request.set_retention_age_ns(absl::ToInt64Nanoseconds(duration));
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", age, "\" is none of a duration such as 720h, forever, default"));
  }
  auto updated =
      Call(*api.tracking, &v1::Tracking::Stub::UpdateProject, request);
  if (!updated.ok()) return updated.status();
  std::cout << "runs of " << name << " are kept: "
            << RetentionText(updated->project().retention_age_ns()) << '\n';
  return absl::OkStatus();
}

struct Limits {
  std::string project;
  std::optional<uint64_t> rows_per_second;
  std::optional<uint64_t> disk_bytes;
};

absl::Status SetLimits(Api& api, const Limits& limits) {
  v1::UpdateProjectRequest request;
  request.set_name(limits.project);
  if (limits.rows_per_second.has_value()) {
    request.set_max_rows_per_second(*limits.rows_per_second);
  }
  if (limits.disk_bytes.has_value()) {
    request.set_max_disk_bytes(*limits.disk_bytes);
  }
  auto updated =
      Call(*api.tracking, &v1::Tracking::Stub::UpdateProject, request);
  if (!updated.ok()) return updated.status();
  const v1::Project& project = updated->project();
  std::cout << "rows per second: " << LimitText(project.max_rows_per_second())
            << "\ndisk bytes: " << LimitText(project.max_disk_bytes()) << '\n';
  return absl::OkStatus();
}

void AddLimitsCommand(CLI::App* project, Session* session) {
  CLI::App* command = project->add_subcommand(
      "limits", "Bound what a project may take in and keep");
  command->footer(
      "Above its rate a project's streams are read more slowly; above its "
      "disk\n"
      "bytes no rows are taken until runs are deleted or the limit is raised.");
  auto limits = std::make_shared<Limits>();
  command->add_option("PROJECT", limits->project, "Its name")
      ->type_name("")
      ->required();
  command
      ->add_option("--rows-per-second", limits->rows_per_second,
                   "Of all its streams together; 0: no limit")
      ->type_name("N");
  command
      ->add_option("--disk-bytes", limits->disk_bytes,
                   "Of its runs in files; 0: no limit")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false).description(""))
      ->type_name("BYTES[K|M|G]");
  command->callback([=] {
    session->action = [=](Api& api) { return SetLimits(api, *limits); };
  });
}

}  // namespace

void AddProjectCommand(CLI::App& app, Session* session) {
  CLI::App* project = app.add_subcommand(
      "project",
      "List projects, say how long their runs are kept and how much");
  project->require_subcommand(1);
  project->footer(
      "Examples:\n"
      "  waterflow project list\n"
      "  waterflow project retention ablations 168h\n"
      "  waterflow project retention ablations forever\n"
      "  waterflow project limits ablations --rows-per-second 10000 "
      "--disk-bytes 50G");

  CLI::App* list = project->add_subcommand("list", "All projects");
  list->callback([=] { session->action = [](Api& api) { return List(api); }; });

  CLI::App* retention = project->add_subcommand(
      "retention", "Delete runs of a project this long after their last write");
  retention->footer(
      "Only runs that finished, failed, were killed or are lost are deleted,\n"
      "with all their values, for good.");
  auto name = std::make_shared<std::string>();
  auto age = std::make_shared<std::string>();
  retention->add_option("PROJECT", *name, "Its name")
      ->type_name("")
      ->required();
  retention
      ->add_option("AGE", *age,
                   "A duration such as 720h; forever; or default, what "
                   "waterflowd's --retention-age says")
      ->type_name("")
      ->required();
  retention->callback([=] {
    session->action = [=](Api& api) { return SetRetention(api, *name, *age); };
  });
  AddLimitsCommand(project, session);
}

}  // namespace waterflow::cli
