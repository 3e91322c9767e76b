#include "server/convert_admin.h"

#include "absl/strings/escaping.h"

namespace waterflow::server {

void ToProto(const storage::VerifyProblem& problem, v1::VerifyProblem* out) {
  out->set_family(problem.family);
  out->set_key(absl::BytesToHexString(problem.key));
  out->set_what(problem.what);
}

void ToProto(const storage::BackupInfo& backup, v1::Backup* out) {
  out->set_id(backup.id);
  out->set_made_ns(backup.made_ns);
  out->set_bytes(backup.bytes);
  out->set_files(backup.files);
}

void ToProto(const storage::VerifyReport& report, v1::VerifySummary* out) {
  out->set_problems(report.problems);
  out->set_bytes(report.bytes);
  out->set_keys(report.keys);
  out->set_generations(report.generations);
  out->set_runs(report.runs);
  out->set_blocks(report.blocks);
  out->set_values(report.values);
  out->set_log_groups(report.log_groups);
}

}  // namespace waterflow::server
