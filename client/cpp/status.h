// gRPC's status as Abseil's, the one that this library speaks.
#ifndef WATERFLOW_CLIENT_CPP_STATUS_H_
#define WATERFLOW_CLIENT_CPP_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace waterflow::client {

// Same code, same message.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_STATUS_H_
