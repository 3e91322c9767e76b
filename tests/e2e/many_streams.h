// Thousands of streams of Ingest.Stream at once, driven by one thread over a
// few connections: each with a run's worker of its own, one schema, and a
// batch when the caller says so.
//
//   ManyStreams streams({.address = ..., .run_id = ..., .streams = 1000});
//   streams.OpenAll();
//   streams.SendAll();
//   streams.AwaitAcks(absl::Seconds(10));
#ifndef WATERFLOW_TESTS_E2E_MANY_STREAMS_H_
#define WATERFLOW_TESTS_E2E_MANY_STREAMS_H_

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::testing {

struct ManyStreamsOptions {
  std::string address;
  std::string run_id;
  size_t streams = 1000;
  size_t connections = 8;
  uint32_t first_rank = 0;
  uint32_t metrics = 10;
  uint32_t rows = 1;  // of each batch
};

class ManyStreams {
 public:
  explicit ManyStreams(const ManyStreamsOptions& options);
  // Cancels what is left.
  ~ManyStreams();

  // Begins all calls, sends Open and the schema, and waits until each was
  // answered or ended. How many are open.
  size_t OpenAll();

  // Queues the next batch of a stream.
  void Send(size_t stream);
  void SendAll();
  // Lets calls go on until all batches are acked, no stream is left that could
  // ack, or the time is over. False: the time was over.
  bool AwaitAcks(absl::Duration timeout);
  // Lets calls go on for so long.
  void RunFor(absl::Duration duration);

  size_t open() const { return open_; }
  // From Send to its ack, of all batches acked since the last call.
  std::vector<absl::Duration> TakeLatencies();
  // The status of a stream that ended.
  std::vector<grpc::Status> ended() const;

 private:
  struct Stream;
  enum class Step { kStarted, kWritten, kRead, kFinished };
  struct Tag {
    Stream* stream;
    Step step;
  };
  struct Stream;

  void Start(Stream& stream);
  void Write(Stream& stream);
  void Handle(const Tag& tag, bool ok);
  void HandleAnswer(Stream& stream);
  // One event, if one comes before then.
  bool Turn(absl::Time deadline);

  const ManyStreamsOptions options_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<absl::Duration> latencies_;
  size_t opening_ = 0;
  size_t open_ = 0;
  size_t unacked_ = 0;  // batches
};

// The q-quantile, 0 to 1, of durations in any order; zero of none.
absl::Duration Quantile(std::vector<absl::Duration> durations, double q);

}  // namespace waterflow::testing

#endif  // WATERFLOW_TESTS_E2E_MANY_STREAMS_H_
