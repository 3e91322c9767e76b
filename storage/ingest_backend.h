// What a stream session sees of the engine: open a stream, declare schemas,
// append batches, be told when they are durable. An interface, so that the
// benchmark can put a byte counter in the engine's place and measure the front
// alone.
#ifndef WATERFLOW_STORAGE_INGEST_BACKEND_H_
#define WATERFLOW_STORAGE_INGEST_BACKEND_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

// A lane by the stream's own schema number, and the row it stands at.
struct LanePosition {
  uint32_t schema = 0;
  uint64_t next_row = 0;

  friend bool operator==(const LanePosition&, const LanePosition&) = default;
};

// A batch as it came: the bytes of one waterflow.v1.Batch message, allocated
// once at their exact size. They move on into the head unchanged.
struct BatchBody {
  std::unique_ptr<char[]> bytes;
  size_t size = 0;

  absl::string_view view() const { return {bytes.get(), size}; }
  static BatchBody Copy(absl::string_view from);
};

struct StreamOptions {
  Uuid run;
  Worker worker;
  Uuid stream;
  uint32_t attempt = 1;
  std::optional<int64_t> resume_step;
  uint32_t world_size = 0;
  int64_t client_time_ns = 0;  // 0: not said
  // First row that the client still holds, per lane.
  std::vector<LanePosition> held;
};

// Told what became of a stream's batches. Called on the engine's own thread,
// one call at a time: return quickly, call nothing of the engine.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  // All rows of these lanes below next_row are durable. `bytes` is the size of
  // the batches this answers, so that the caller can keep account of credit.
  virtual void OnDurable(absl::Span<const LanePosition> lanes,
                         Position position, size_t bytes) = 0;
  // The session is over and nothing more will be called: ABORTED (a newer
  // session of the stream), RESOURCE_EXHAUSTED (disk full, or its project takes
  // more of it than it may), NOT_FOUND (the run was deleted). What was not
  // durable must be sent again by a new session.
  virtual void OnEnded(absl::Status status) = 0;
};

// Why a batch was refused, and what that does to its lane.
struct Rejection {
  absl::Status status;
  uint32_t schema = 0;
  uint64_t first_row = 0;
  // Rows that count as delivered (a void record is written for them); 0: the
  // lane did not move.
  uint32_t rows = 0;
};

// One session of a stream. Calls must come one at a time; dropping it ends the
// session and keeps what was appended. It must be dropped before the backend
// is.
class StreamSession {
 public:
  virtual ~StreamSession() = default;

  // Lanes that the store knew when the session opened.
  virtual const std::vector<LanePosition>& known_lanes() const = 0;

  // INVALID_ARGUMENT names the bad metric; FAILED_PRECONDITION when the id
  // already stands for other names. Durable before the first ack that uses it.
  virtual absl::Status DeclareSchema(uint32_t schema,
                                     std::vector<Metric> metrics) = 0;

  // Takes the batch; the observer hears when it is durable (also when all of it
  // was stored before). Returns a rejection when it can never be accepted.
  virtual std::optional<Rejection> Append(BatchBody body) = 0;

  virtual void Heartbeat(int64_t client_time_ns) = 0;

  // How long the caller should let the client wait before it takes another
  // batch: more rows came in a second than a limit allows.
  virtual absl::Duration Throttled() const { return absl::ZeroDuration(); }
};

class IngestBackend {
 public:
  virtual ~IngestBackend() = default;

  using OpenedCallback =
      std::function<void(absl::StatusOr<std::unique_ptr<StreamSession>>)>;
  // Calls `done` once, possibly on the engine's own thread and possibly before
  // it returns: NOT_FOUND for an unknown run, INVALID_ARGUMENT for bad options.
  // An older session of the same stream hears OnEnded(ABORTED) first.
  virtual void OpenStream(StreamOptions options,
                          std::shared_ptr<StreamObserver> observer,
                          OpenedCallback done) = 0;

  // Bytes appended and not yet durable, over all streams. The caller stops
  // reading while this is above max_pending_bytes(): that is how a slow disk or
  // a busy sealer reaches the trainers.
  virtual size_t pending_bytes() const = 0;
  virtual size_t max_pending_bytes() const = 0;

  // Whether it hands rows on to the server that stores their run: what it acks
  // is then durable here, and not yet there.
  virtual bool forwards() const { return false; }
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_BACKEND_H_
