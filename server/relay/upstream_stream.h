// One stream on its way to the upstream: reads its backlog window by window,
// sends each in large batches, waits until the upstream has acked it, and lets
// the store forget it. The call bears the worker's own stream id, schema ids
// and row numbers, so what the upstream has it drops: every row once, whichever
// of the two dies.
//
//   resting --rows wait, or a worker is here--> opening --Opened--> open
//      ^                                           |                 |
//      +--- its pause is over --- waiting <--------+--- the call broke
//      +--- closing <--- idle for long, or the rows that come next belong to
//                        another Open
//
// A window at a time and no more: the next one gathers meanwhile, so the
// batches are as large as the upstream is slow.
#ifndef WATERFLOW_SERVER_RELAY_UPSTREAM_STREAM_H_
#define WATERFLOW_SERVER_RELAY_UPSTREAM_STREAM_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "client/cpp/backoff.h"
#include "client/cpp/clock.h"
#include "client/cpp/credit.h"
#include "client/cpp/event_queue.h"
#include "client/cpp/stream_call.h"
#include "server/relay/forward_options.h"
#include "storage/relay/relay_store.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::server {

// What the streams of a forwarder share. The forwarder's thread alone, but for
// the atomics.
struct ForwardState {
  storage::RelayStore* store = nullptr;
  v1::Ingest::Stub* stub = nullptr;
  client::EventQueue* events = nullptr;
  ForwardOptions options;
  uint64_t windows_bytes = 0;  // in memory now

  std::atomic<uint64_t> open_calls{0};
  std::atomic<uint64_t> forwarded_rows{0};
  std::atomic<uint64_t> forwarded_batches{0};
  // Refused by the upstream, though not by us: rows of a lane, or all of it.
  std::atomic<uint64_t> rejected_batches{0};
  // The upstream answered the last time that it was asked.
  std::atomic<bool> connected{false};
  bool said_away = false;  // to the log

  void Log(const std::string& line) const {
    if (options.log) options.log(line);
  }
  void NoteAnswer();
  void NoteAway(const absl::Status& status);
};

class UpstreamStream {
 public:
  using TimePoint = client::Clock::time_point;

  UpstreamStream(ForwardState* shared, uint32_t number);
  ~UpstreamStream();
  UpstreamStream(const UpstreamStream&) = delete;
  UpstreamStream& operator=(const UpstreamStream&) = delete;

  // The store has news of it.
  void HearNews() { news_ = true; }
  // Does all that can be done now; returns when to look again.
  TimePoint Step(TimePoint now);
  // Nothing is left to do, and no call is open.
  bool over() const { return state_ == State::kOver; }

  // Ends the call, if there is one, soon.
  void Cancel();
  bool has_call() const { return call_ != nullptr && !call_->done(); }

 private:
  enum class State { kResting, kWaiting, kOpening, kOpen, kClosing, kOver };

  TimePoint Rest(TimePoint now);
  void Connect(const storage::RelayStreamView& view, TimePoint now);
  void Handle(const v1::StreamResponse& response);
  void HandleOpened(const v1::Opened& opened);
  void HandleAck(const v1::Ack& ack);
  void HandleRejected(const v1::Rejected& rejected);
  void HandleEnd(const absl::Status& status, TimePoint now);
  TimePoint Forward(TimePoint now);
  // Takes the next window, if it is time; says when to look again.
  TimePoint TakeWindow(TimePoint now);
  TimePoint BeIdle(TimePoint now);
  // Sends what credit and call allow.
  void Send(TimePoint now);
  bool WindowIsDone() const;
  // The upstream has it.
  void FinishWindow();
  void DropWindow();
  void Close(TimePoint now);
  void Refresh();
  std::string Name() const;

  ForwardState* const shared_;
  const uint32_t number_;
  State state_ = State::kResting;
  bool news_ = true;
  storage::RelayStreamView view_;
  client::Backoff backoff_;
  TimePoint due_{};          // by state: retry, open or close deadline
  TimePoint next_window_{};  // not before
  TimePoint last_sent_{};
  int64_t heartbeat_sent_ns_ = 0;
  // Of the opening that the upstream has heard, by the relay's clock.
  int64_t announced_ns_ = 0;
  bool complained_ = false;  // of rows that the upstream refused

  // ---- of the call ----
  std::unique_ptr<client::StreamCall> call_;
  client::Credit credit_;
  storage::RelayMessageLimits limits_;
  std::set<uint32_t> declared_;
  std::set<uint32_t> refused_lanes_;
  // Rows that we refused, and the upstream has to.
  std::set<std::pair<uint32_t, uint64_t>> expected_;
  std::map<uint32_t, uint64_t> acked_;

  // Outlives calls: it is sent until it is acked.
  std::unique_ptr<storage::RelayWindow> window_;
  std::optional<storage::RelayMessages> messages_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_RELAY_UPSTREAM_STREAM_H_
