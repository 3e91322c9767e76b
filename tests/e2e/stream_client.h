// A call of Ingest.Stream step by step, with messages as structs or as raw
// bytes (to send what no generated client would).
#ifndef WATERFLOW_TESTS_E2E_STREAM_CLIENT_H_
#define WATERFLOW_TESTS_E2E_STREAM_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::testing {

// A channel with a connection of its own: those to one address else share one.
std::shared_ptr<grpc::Channel> ConnectAlone(
    const std::string& address, grpc::ChannelArguments arguments = {});

class StreamClient {
 public:
  // The call ends after `deadline` by itself; 0: never.
  explicit StreamClient(
      const std::shared_ptr<grpc::Channel>& channel,
      std::chrono::milliseconds deadline = std::chrono::milliseconds(0),
      grpc_compression_algorithm compression = GRPC_COMPRESS_NONE);
  // Cancels the call when Finish was not called.
  ~StreamClient();

  // False when the call has ended.
  bool Send(const v1::StreamRequest& request);
  bool SendRaw(absl::string_view bytes);

  bool SendOpen(const v1::Open& open);
  bool SendSchema(uint32_t id, const std::vector<std::string>& names);
  bool SendBatch(const v1::Batch& batch);
  bool SendClose();

  // The next answer; nothing when the call has ended.
  std::optional<v1::StreamResponse> Receive();
  // Reads on until the lane's rows below next_row are acked. False when the
  // call ended, or something was rejected, before.
  bool ReceiveAck(uint32_t schema_id, uint64_t next_row);
  // The last of their kind that came.
  const v1::Ack& last_ack() const { return last_ack_; }
  const v1::Rejected& last_rejected() const { return last_rejected_; }

  void HalfClose();
  // Reads to the end and returns how the call ended.
  grpc::Status Finish();
  void Cancel() { context_.TryCancel(); }

 private:
  bool Wait();

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  v1::Ack last_ack_;
  v1::Rejected last_rejected_;
  bool finished_ = false;
};

// Rows of float64 metrics, dense: values[metric][row]. Step of row r: step + r;
// its time: 1,000,000,000 x step.
v1::Batch DenseBatch(uint32_t schema_id, uint64_t first_row,
                     const std::vector<std::vector<double>>& values,
                     int64_t step = 0);

// The bytes of a column or of steps and times: little-endian, as on the wire.
std::string PackDoubles(const std::vector<double>& values);
std::string PackFloats(const std::vector<float>& values);
std::string PackInts(const std::vector<int64_t>& values);

}  // namespace waterflow::testing

#endif  // WATERFLOW_TESTS_E2E_STREAM_CLIENT_H_
