#include "bench/storage/parts.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace waterflow::bench {
namespace {

// What the child has to say, as one line of JSON.
std::string Report(const Figures& figures) {
  nlohmann::json report;
  if (figures.ok()) {
    report["figures"] = ToJson(*figures);
  } else {
    report["error"] = std::string(figures.status().message());
  }
  return report.dump();
}

}  // namespace

const std::vector<StoragePart>& StorageParts() {
  static const auto* const kParts = new std::vector<StoragePart>{
      {"disk", MeasureDisk},         {"memory", MeasureMemory},
      {"recovery", MeasureRecovery}, {"read", MeasureReads},
      {"search", MeasureSearch},     {"table", MeasureTable},
      {"writes", MeasureWrites},     {"small", MeasureSmall},
  };
  return *kParts;
}

Figures InChild(const std::function<Figures()>& measure) {
  int ends[2];
  if (pipe(ends) != 0) return absl::InternalError("no pipe");
  const pid_t child = fork();
  if (child < 0) return absl::InternalError("no child process");
  if (child == 0) {
    close(ends[0]);
    std::FILE* const out = fdopen(ends[1], "w");
    const std::string report = Report(measure());
    std::fwrite(report.data(), 1, report.size(), out);
    std::fflush(out);
    _exit(0);
  }
  close(ends[1]);
  std::string report;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    report.append(buffer, n);
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  const nlohmann::json json = nlohmann::json::parse(report, nullptr, false);
  if (json.is_discarded()) {
    return absl::InternalError(
        absl::StrCat("the measuring process ended with status ", status));
  }
  if (json.contains("error")) {
    return absl::InternalError(json["error"].get<std::string>());
  }
  return FiguresFromJson(json["figures"]);
}

}  // namespace waterflow::bench
