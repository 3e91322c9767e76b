// A stream as a well-behaved client keeps it: what it logged, what of that was
// acked, and the session it has at the moment, if any. It keeps all rows (they
// are a function of the lane), so it can send anything again.
#ifndef WATERFLOW_TESTS_MODEL_CLIENT_STREAM_H_
#define WATERFLOW_TESTS_MODEL_CLIENT_STREAM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine.h"
#include "storage/model/mutex.h"
#include "tests/model/lane_content.h"

namespace waterflow::storage::model {

// What all sessions of a stream heard to be durable.
class AckBook {
 public:
  void Ack(absl::Span<const LanePosition> lanes);
  uint64_t acked(uint32_t lane);
  // Until rows below are acked; false when `give_up` says so, or after 30 s.
  bool WaitFor(uint32_t lane, uint64_t next_row,
               const std::function<bool()>& give_up);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<uint32_t, uint64_t> next_rows_ ABSL_GUARDED_BY(mutex_);
};

// Of one session.
class ClientObserver : public StreamObserver {
 public:
  explicit ClientObserver(std::shared_ptr<AckBook> book)
      : book_(std::move(book)) {}
  void OnDurable(absl::Span<const LanePosition> lanes, Position position,
                 size_t bytes) override;
  void OnEnded(absl::Status status) override;
  std::optional<absl::Status> ended();

 private:
  const std::shared_ptr<AckBook> book_;
  Mutex mutex_;
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
};

struct ClientLane {
  LaneContent content;
  uint64_t base = 0;  // rows below are gone for good
  uint64_t next = 0;  // rows below were logged
  uint64_t sent = 0;  // rows below were sent, so an ack is due
  // Rows that were sent in bad batches: first and end.
  std::map<uint64_t, uint64_t> voids;
  bool declared = false;  // in the session at hand

  explicit ClientLane(uint64_t seed) : content(seed) {}
};

struct ClientStream {
  StreamOptions options;
  uint64_t seed = 0;
  std::map<uint32_t, ClientLane> lanes;
  std::shared_ptr<AckBook> book = std::make_shared<AckBook>();
  std::shared_ptr<ClientObserver> observer;
  std::unique_ptr<StreamSession> session;

  LaneKey key(uint32_t lane) const {
    return {options.worker, options.stream, lane};
  }
  // Waits for the answer. The old session, if there is one, is replaced.
  absl::Status Open(Engine* engine, std::vector<LanePosition> held);
  absl::Status Declare(uint32_t lane);
  void Drop();
};

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_CLIENT_STREAM_H_
