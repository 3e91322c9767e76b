// One stream of a load: opens, declares its schemas, sends what it is allowed
// to and keeps account of what was acked when. Driven by completions of one
// queue on one thread; owns no thread and takes no lock.
#ifndef WATERFLOW_BENCH_LOAD_STREAM_H_
#define WATERFLOW_BENCH_LOAD_STREAM_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bench/histogram.h"
#include "bench/worker_load.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::bench {

// Counters of what was acked.
struct LoadCounts {
  uint64_t samples = 0;
  uint64_t batches = 0;
  uint64_t acks = 0;
  uint64_t message_bytes = 0;  // as gRPC frames them, five bytes more than sent
  Histogram ack_ns;
  Histogram late_ns;  // by which the load itself missed when a batch was due

  void Add(const LoadCounts& other);
};

int64_t MonotonicNs();

class LoadStream {
 public:
  enum class Pace { kFlood, kOnDemand };

  // `workers` and `counts` must outlive it. `ids`: see LoadOptions::stream_ids.
  LoadStream(const std::vector<WorkerLoad>& workers, size_t worker, bool repeat,
             Pace pace, size_t max_in_flight_bytes, uint64_t ids,
             std::shared_ptr<grpc::Channel> channel,
             grpc::CompletionQueue* queue, LoadCounts* counts);

  enum class Step : uint8_t { kStarted, kWritten, kRead, kFinished };
  struct Tag {
    LoadStream* stream;
    Step step;
  };

  void Start();
  // A completion of this stream's: the tag's step is over.
  void Proceed(Step step, bool ok);
  // One more batch is due (kOnDemand only); its latency counts from then.
  void Due(int64_t intended_ns);
  // Sends no more batches and ends the call when all are acked.
  void Drain();
  void Cancel() { context_.TryCancel(); }

  // Opened by the server, all schemas sent.
  bool ready() const { return opened_ && setup_.empty(); }
  // Everything there was is acked (never so while repeating).
  bool all_acked() const { return !cursor_.Peek() && in_flight_bytes_ == 0; }
  bool finished() const { return finished_; }
  // From Start to Opened; 0 until then.
  uint64_t open_ns() const { return open_ns_; }
  // Why it ended, once it did.
  const absl::Status& status() const { return status_; }

 private:
  struct InFlight {
    uint64_t end_row;
    uint64_t samples;
    size_t batch_bytes;
    size_t message_bytes;
    int64_t since_ns;
  };

  void WriteNext();
  bool FitsCredit(const EncodedBatch& batch) const;
  void WriteBatch(const EncodedBatch& batch, int64_t since_ns);
  void TakeResponse();
  void TakeAck(const v1::Ack& ack);
  void Fail(absl::Status status);

  BatchCursor cursor_;
  const Pace pace_;
  const size_t max_in_flight_bytes_;
  grpc::CompletionQueue* const queue_;
  LoadCounts* const counts_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  Tag tags_[4];

  std::deque<v1::StreamRequest> setup_;  // Open and schemas still to be sent
  std::deque<int64_t> due_;
  std::vector<std::deque<InFlight>> in_flight_;  // by schema id
  size_t in_flight_bytes_ = 0;
  size_t credit_bytes_ = 0;
  size_t unflushed_bytes_ = 0;
  int64_t started_ns_ = 0;
  uint64_t open_ns_ = 0;
  bool writing_ = true;  // until the call is started
  bool opened_ = false;
  bool draining_ = false;
  bool closed_ = false;
  bool finished_ = false;
  absl::Status status_;
  grpc::ByteBuffer read_;
  grpc::Status call_status_;
  std::string head_;
  v1::StreamResponse response_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_LOAD_STREAM_H_
