// As convert.h, for the messages of waterflow.v1.Admin.
#ifndef WATERFLOW_SERVER_CONVERT_ADMIN_H_
#define WATERFLOW_SERVER_CONVERT_ADMIN_H_

#include "storage/backup.h"
#include "storage/verify.h"
#include "waterflow/v1/admin.pb.h"

namespace waterflow::server {

void ToProto(const storage::VerifyProblem& problem, v1::VerifyProblem* out);
void ToProto(const storage::BackupInfo& backup, v1::Backup* out);
void ToProto(const storage::VerifyReport& report, v1::VerifySummary* out);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_CONVERT_ADMIN_H_
