// Answers a request that is no message of its type with INVALID_ARGUMENT and,
// where it is text that is not UTF-8, with the name of the field. gRPC's own
// answer is INTERNAL and says nothing. For the methods of generated services;
// ingest streams read their messages themselves (wire.h).
#ifndef WATERFLOW_SERVER_UNREADABLE_REQUEST_H_
#define WATERFLOW_SERVER_UNREADABLE_REQUEST_H_

#include <grpcpp/support/server_interceptor.h>

#include "absl/strings/string_view.h"

namespace waterflow::server {

// Protobuf tells which field it could not read only in its log: to be called
// with each line of it, on the thread that wrote it.
void NoteProtobufLog(absl::string_view text);

class UnreadableRequestAnswers
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  // Null for methods whose messages gRPC does not read.
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_UNREADABLE_REQUEST_H_
