// An Ingest service in this process that fails on demand: it breaks streams,
// acks half a batch, withholds credit, refuses. It keeps rows as the real one
// promises to: by number, each once.
#ifndef WATERFLOW_TESTS_UNIT_CLIENT_FAKE_INGEST_H_
#define WATERFLOW_TESTS_UNIT_CLIENT_FAKE_INGEST_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "grpcpp/server.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::client {

struct StoredRow {
  std::optional<int64_t> step;
  std::optional<int64_t> time_ns;
  std::map<uint32_t, uint64_t> bits;  // metric -> the float64's bits

  friend bool operator==(const StoredRow&, const StoredRow&) = default;
};

// What one session does; each new call takes the next one of the list.
struct SessionScript {
  // Ends the call with this instead of Opened.
  std::optional<grpc::StatusCode> refuse_open;
  uint64_t credit_bytes = 1 << 20;
  // Breaks the call with UNAVAILABLE when it has taken this many batches.
  std::optional<int> break_after_batches;
  // Of the last batch before the break only this many rows are stored.
  std::optional<uint64_t> store_rows_of_last;
  // Acks are sent only when this many batches wait for one (or at the end).
  int batches_per_ack = 1;
  bool send_acks = true;
  // Schemas that are refused, and batches (by their first row) that are.
  std::vector<uint32_t> refuse_schemas;
  std::vector<uint64_t> refuse_batches;
};

class FakeIngest final : public v1::Ingest::Service {
 public:
  FakeIngest();
  ~FakeIngest() override;

  std::string address() const;
  void AddSession(SessionScript script);
  // Stops listening and breaks all calls; Restart listens at the same port.
  void Stop();
  void Restart();

  std::vector<StoredRow> rows(uint32_t schema) const;
  std::vector<v1::Batch> batches() const;
  std::vector<v1::Open> opens() const;
  // Most bytes of batches that were unacked at once, over all sessions.
  uint64_t most_in_flight() const;
  // Pretends that rows below `next_row` were stored by an earlier program.
  void SetStored(uint32_t schema, uint64_t next_row);

  grpc::Status Stream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::StreamResponse, v1::StreamRequest>* stream)
      override;

 private:
  using Call = grpc::ServerReaderWriter<v1::StreamResponse, v1::StreamRequest>;

  void Listen(int port);
  SessionScript NextScript();
  // Stores up to `most` rows of it; returns the lane's next row.
  uint64_t Store(const v1::Batch& batch, uint64_t most);

  mutable std::mutex mu_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::deque<SessionScript> scripts_;
  std::map<uint32_t, std::vector<StoredRow>> lanes_;
  std::vector<v1::Batch> batches_;
  std::vector<v1::Open> opens_;
  uint64_t most_in_flight_ = 0;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_TESTS_UNIT_CLIENT_FAKE_INGEST_H_
