// Values in: what a training worker logs with.
//
//   auto writer = RunWriter::Open(MakeChannel("127.0.0.1:7070"), run_id,
//                                 {.rank = 3});
//   auto schema = (*writer)->DeclareSchema({"train/loss", "lr"});
//   (*writer)->Append(*schema, step, absl::ToUnixNanos(absl::Now()),
//                     {loss, lr});
//   (*writer)->Close(absl::Seconds(30));
//
// Append copies the row and returns; a background thread cuts rows into
// batches, numbers them, and sends them until the server acked them, over as
// many connections as that takes. A dead server costs freshness, not steps and
// not data, as long as the buffer has room. Nothing here throws.
//
// Thread-safe, but rows are numbered in the order of the calls: threads that
// log to one schema at once should not care which of them comes first. After a
// fork the child must make a writer of its own.
#ifndef WATERFLOW_CLIENT_CPP_RUN_WRITER_H_
#define WATERFLOW_CLIENT_CPP_RUN_WRITER_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/cpp/row_block.h"
#include "client/cpp/run_writer_options.h"
#include "grpcpp/channel.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::client {

class Sender;

// A schema of one writer.
struct SchemaHandle {
  uint32_t id = 0;
};

// Which process of the job logs.
struct WorkerName {
  std::string role;
  uint32_t rank = 0;
};

// Many rows of a schema at once, column by column. Holds views.
struct Columns {
  // One entry a row each; empty: the rows have none.
  absl::Span<const int64_t> steps;
  absl::Span<const int64_t> times_ns;
  // One per metric, in the schema's order, all of the same length.
  std::vector<absl::Span<const double>> values;
};

class RunWriter {
 public:
  // Returns at once; the session is opened in the background. INVALID_ARGUMENT
  // for a stream id that has not 16 bytes.
  static absl::StatusOr<std::unique_ptr<RunWriter>> Open(
      std::shared_ptr<grpc::Channel> channel, std::string run_id,
      WorkerName worker = {}, RunWriterOptions options = {});
  // Flushes for as long as RunWriterOptions.destructor_timeout.
  ~RunWriter();
  RunWriter(const RunWriter&) = delete;
  RunWriter& operator=(const RunWriter&) = delete;

  // Says which metrics will be logged together. INVALID_ARGUMENT: no metric, an
  // empty name, or a name twice.
  absl::StatusOr<SchemaHandle> DeclareSchema(std::vector<v1::Metric> metrics);
  absl::StatusOr<SchemaHandle> DeclareSchema(
      std::initializer_list<absl::string_view> names);

  // Takes a row. RESOURCE_EXHAUSTED: the buffer stayed full for
  // RunWriterOptions.append_patience and the row is not taken.
  // INVALID_ARGUMENT: the row does not fit the schema, or the server refused
  // the schema. Any other status ended the writer: NOT_FOUND (no such run),
  // ABORTED (another writer took over the stream), CANCELLED (closed).
  absl::Status Append(SchemaHandle schema, const Row& row);
  absl::Status Append(SchemaHandle schema, int64_t step, int64_t time_ns,
                      absl::Span<const double> values);
  absl::Status Append(SchemaHandle schema, int64_t step, int64_t time_ns,
                      std::initializer_list<double> values);
  // Takes rows until the first that is not taken, whose status it returns.
  absl::Status AppendColumns(SchemaHandle schema, const Columns& columns);

  // Waits until the server has answered for every row appended before the call.
  // DEADLINE_EXCEEDED: not within `timeout`. What was refused for good counts
  // as answered: see rejections().
  absl::Status Flush(absl::Duration timeout);
  // Flush, then ends the session. Rows that were not acked are lost to this
  // writer; the status says so. A second call returns the first one's status.
  absl::Status Close(absl::Duration timeout);

  // What the server refused for good, the first 1,000 of them.
  std::vector<Rejection> rejections() const;
  WriterStats stats() const;
  // Ack.token of the newest ack, for ReadRequest.at_least; empty before it.
  std::string token() const;

 private:
  RunWriter(RunWriterOptions options, std::shared_ptr<RowBuffer> buffer,
            std::unique_ptr<Sender> sender);

  const RunWriterOptions options_;
  const std::shared_ptr<RowBuffer> buffer_;
  const std::unique_ptr<Sender> sender_;
  std::mutex close_mu_;
  bool closed_ ABSL_GUARDED_BY(close_mu_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(close_mu_);
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_RUN_WRITER_H_
