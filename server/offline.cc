#include "server/offline.h"

#include <unistd.h>

#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "storage/dump.h"
#include "storage/engine.h"

namespace waterflow::server {
namespace {

// One line that is drawn over itself, where somebody looks.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (drawn_) std::cerr << "\r\033[K";
  }
  void Draw(uint64_t done, uint64_t total) {
    if (isatty(STDERR_FILENO) == 0) return;
    drawn_ = true;
    std::cerr << absl::StrFormat("\r%.1f of %.1f MiB\033[K",
                                 static_cast<double>(done) / (1 << 20),
                                 static_cast<double>(total) / (1 << 20));
  }

 private:
  bool drawn_ = false;
};

int Complain(const absl::Status& status) {
  std::cerr << "waterflowd: " << absl::StatusCodeToString(status.code()) << ": "
            << status.message() << std::endl;
  return 1;
}

int Verify(const Options& options) {
  absl::StatusOr<storage::VerifyReport> report;
  {
    ProgressLine line;
    report = storage::VerifyOffline(
        options.engine, {.problem =
                             [](const storage::VerifyProblem& problem) {
                               std::cout << problem.ToLine() << std::endl;
                             },
                         .progress =
                             [&line](const storage::VerifyProgress& progress) {
                               line.Draw(progress.bytes_read,
                                         progress.bytes_total);
                               return absl::OkStatus();
                             }});
  }
  if (!report.ok()) return Complain(report.status());
  std::cout << absl::StrFormat(
                   "%d problems in %d generations, %d runs, %d blocks, %d "
                   "values, %d log groups (%.1f MiB)",
                   report->problems, report->generations, report->runs,
                   report->blocks, report->values, report->log_groups,
                   static_cast<double>(report->bytes) / (1 << 20))
            << std::endl;
  return report->problems == 0 ? 0 : 1;
}

int Dump(const Options& options) {
  const auto write = [](absl::string_view bytes) {
    const auto size = static_cast<uint32_t>(bytes.size());
    for (int shift = 0; shift < 32; shift += 8) {
      std::cout.put(static_cast<char>(size >> shift));
    }
    std::cout.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  };
  const absl::Status dumped = storage::DumpOffline(
      options.engine, [&](absl::string_view family, absl::string_view key,
                          absl::string_view value) {
        write(family);
        write(key);
        write(value);
        return std::cout ? absl::OkStatus()
                         : absl::CancelledError("nobody reads the output");
      });
  std::cout.flush();
  return dumped.ok() ? 0 : Complain(dumped);
}

int Restore(const Options& options) {
  const absl::StatusOr<storage::BackupInfo> restored =
      storage::RestoreBackup({.from = options.restore_from,
                              .id = options.restore_id,
                              .data_dir = options.engine.data_dir});
  if (!restored.ok()) return Complain(restored.status());
  std::cout << absl::StrFormat(
                   "restored backup %d of %s: %d files, %.1f MiB", restored->id,
                   absl::FormatTime(absl::FromUnixNanos(restored->made_ns)),
                   restored->files,
                   static_cast<double>(restored->bytes) / (1 << 20))
            << std::endl;
  return Verify(options);
}

}  // namespace

int RunOffline(const Options& options) {
  switch (options.command) {
    case Command::kServe:
      break;
    case Command::kVerify:
      return Verify(options);
    case Command::kRestore:
      return Restore(options);
    case Command::kDump:
      return Dump(options);
  }
  return 2;
}

}  // namespace waterflow::server
