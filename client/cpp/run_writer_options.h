// What a RunWriter can be told, and what it tells.
#ifndef WATERFLOW_CLIENT_CPP_RUN_WRITER_OPTIONS_H_
#define WATERFLOW_CLIENT_CPP_RUN_WRITER_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/lane.h"
#include "client/cpp/row_buffer.h"

namespace waterflow::client {

// A schema or batch that the server refused for good.
struct Rejection {
  uint32_t schema = 0;
  uint64_t first_row = 0;
  // 0: the whole schema, with all rows of it that were not stored yet.
  uint32_t rows = 0;
  absl::Status status;
};

struct RunWriterOptions {
  // 16 bytes that name the stream, kept over restarts by who wants rows that
  // were sent before to be known again. Empty: random.
  std::string stream_id;
  // See Open in ingest.proto.
  uint32_t attempt = 1;
  std::optional<int64_t> resume_step;
  uint32_t world_size = 0;

  RowBufferOptions buffer;
  // How long Append waits for room when the buffer is full because the server
  // does not keep up or is gone. 0: it refuses at once, training never waits.
  absl::Duration append_patience = absl::ZeroDuration();

  // Pause before a reconnect: doubles from the first to the second.
  absl::Duration backoff_first = absl::Milliseconds(100);
  absl::Duration backoff_most = absl::Seconds(5);
  // How long the server may take to answer Open.
  absl::Duration open_timeout = absl::Seconds(10);
  // A sign of life after this long without rows.
  absl::Duration heartbeat = absl::Seconds(60);
  // How long the destructor flushes when Close was not called.
  absl::Duration destructor_timeout = absl::Seconds(5);

  // Called for each rejection on the writer's thread; must return soon.
  std::function<void(const Rejection&)> on_rejected;
};

struct SenderCounts {
  uint64_t batches_sent = 0;
  uint64_t bytes_sent = 0;
  uint64_t sessions_opened = 0;
};

// Since the writer was made.
struct WriterStats : BufferCounts, SenderCounts {};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_RUN_WRITER_OPTIONS_H_
