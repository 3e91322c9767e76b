#include "server/tails.h"

#include <memory>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/convert_question.h"
#include "storage/model/limits.h"

namespace waterflow::server {
namespace {

// Between two looks. A look at a store where nothing is new costs a lock.
constexpr absl::Duration kLook = absl::Milliseconds(100);

}  // namespace

absl::Status Tails::Serve(grpc::ServerContext* context,
                          const v1::TailRequest& request,
                          grpc::ServerWriter<v1::TailResponse>* out) {
  const absl::StatusOr<storage::TailSpec> spec = FromProto(request);
  if (!spec.ok()) return spec.status();
  if (absl::Status s = Enter(); !s.ok()) return s;
  const absl::Cleanup leave = [this] { Leave(); };
  const absl::StatusOr<std::unique_ptr<storage::Tail>> tail =
      engine_->OpenTail(*spec);
  if (!tail.ok()) return tail.status();
  return Follow(context, tail->get(), out);
}

absl::Status Tails::Follow(grpc::ServerContext* context, storage::Tail* tail,
                           grpc::ServerWriter<v1::TailResponse>* out) {
  while (true) {
    {
      storage::MutexLock lock(&mutex_);
      if (ended_) {
        return absl::UnavailableError(
            "the server goes down; go on with the last resume_token");
      }
    }
    if (context->IsCancelled()) return absl::CancelledError("the client left");
    absl::StatusOr<std::optional<storage::TailBatch>> batch = tail->Next();
    if (!batch.ok()) return batch.status();
    if (batch->has_value()) {
      v1::TailResponse response;
      ToProto(**batch, &response);
      // Waits while the reader is slow: what comes meanwhile goes into fewer,
      // larger messages.
      if (!out->Write(response)) return absl::CancelledError("the client left");
      if (!(*batch)->position.has_value()) continue;  // more is there
    }
    storage::MutexLock lock(&mutex_);
    if (!ended_) end_.WaitFor(&mutex_, kLook);
  }
}

void Tails::End() {
  storage::MutexLock lock(&mutex_);
  ended_ = true;
  end_.NotifyAll();
}

absl::Status Tails::Enter() {
  storage::MutexLock lock(&mutex_);
  if (open_ == storage::kMaxTails) {
    return absl::ResourceExhaustedError(
        absl::StrCat("subscriptions: ", storage::kMaxTails,
                     " are open, which is the limit; try again later, or have "
                     "one follow several runs"));
  }
  ++open_;
  return absl::OkStatus();
}

void Tails::Leave() {
  storage::MutexLock lock(&mutex_);
  --open_;
}

}  // namespace waterflow::server
