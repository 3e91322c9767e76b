#include "server/unreadable_request.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace waterflow::server {
namespace {

using grpc::experimental::InterceptionHookPoints;

// The field that this thread's last request could not be read for; empty when
// protobuf named none.
std::string& UnreadableField() {
  thread_local std::string field;
  return field;
}

class Interceptor : public grpc::experimental::Interceptor {
 public:
  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() == nullptr) {
      unreadable_ = true;
    }
    if (unreadable_ && methods->QueryInterceptionHookPoint(
                           InterceptionHookPoints::PRE_SEND_STATUS)) {
      std::string& field = UnreadableField();
      methods->ModifySendStatus(grpc::Status(
          grpc::StatusCode::INVALID_ARGUMENT,
          field.empty() ? "the request is no message of this method"
                        : absl::StrCat(field, ": is not valid UTF-8")));
      field.clear();
    }
    methods->Proceed();
  }

 private:
  bool unreadable_ = false;
};

}  // namespace

void NoteProtobufLog(absl::string_view text) {
  // String field 'waterflow.v1.CreateRunRequest.name' contains invalid UTF-8 ..
  const std::vector<absl::string_view> quoted = absl::StrSplit(text, '\'');
  if (quoted.size() < 3 || !absl::StrContains(text, "invalid UTF-8")) return;
  UnreadableField() = std::string(quoted[1]);
}

grpc::experimental::Interceptor*
UnreadableRequestAnswers::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  using Type = grpc::experimental::ServerRpcInfo::Type;
  if (info->type() == Type::BIDI_STREAMING) return nullptr;
  return std::make_unique<Interceptor>().release();  // gRPC owns it
}

}  // namespace waterflow::server
