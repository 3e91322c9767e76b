// Sends the parts of an answer as they come from the engine, in messages of
// about 256 KiB: many series share one, a long one takes several.
#ifndef WATERFLOW_SERVER_PART_WRITER_H_
#define WATERFLOW_SERVER_PART_WRITER_H_

#include <grpcpp/support/sync_stream.h>

#include <cstddef>

#include "absl/status/status.h"
#include "storage/read.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::server {

class PartWriter {
 public:
  // `out` must outlive it.
  explicit PartWriter(grpc::ServerWriter<v1::ReadResponse>* out) : out_(*out) {}

  // CANCELLED: the client left.
  absl::Status Add(const storage::SeriesPart& part);
  // Sends what is left, with the summary.
  void Finish(const storage::ReadSummary& summary);

 private:
  grpc::ServerWriter<v1::ReadResponse>& out_;
  v1::ReadResponse message_;
  size_t bytes_ = 0;  // of it, about
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_PART_WRITER_H_
