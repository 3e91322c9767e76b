// The subscriptions of Query.Tail. Each waits on the thread of its call, which
// is why they are few; they look at the store some times a second and whenever
// their reader has taken what there was.
#ifndef WATERFLOW_SERVER_TAILS_H_
#define WATERFLOW_SERVER_TAILS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "storage/engine.h"
#include "storage/model/mutex.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::server {

class Tails {
 public:
  explicit Tails(storage::Engine* engine) : engine_(engine) {}

  // Returns when the caller leaves, End() is called or something fails.
  absl::Status Serve(grpc::ServerContext* context,
                     const v1::TailRequest& request,
                     grpc::ServerWriter<v1::TailResponse>* out);

  // Ends all with UNAVAILABLE, also those that begin later.
  void End();

 private:
  // One of kMaxTails.
  absl::Status Enter();
  void Leave();
  absl::Status Follow(grpc::ServerContext* context, storage::Tail* tail,
                      grpc::ServerWriter<v1::TailResponse>* out);

  storage::Engine* const engine_;

  storage::Mutex mutex_;
  storage::CondVar end_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t open_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_TAILS_H_
