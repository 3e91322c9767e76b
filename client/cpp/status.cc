#include "client/cpp/status.h"

namespace waterflow::client {

absl::Status FromGrpc(const grpc::Status& status) {
  // Both number the codes as google.rpc.Code does.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

}  // namespace waterflow::client
