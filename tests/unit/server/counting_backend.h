// An IngestBackend that keeps no values: it acks when the test says so, and
// tells what the front did with it.
#ifndef WATERFLOW_TESTS_UNIT_SERVER_COUNTING_BACKEND_H_
#define WATERFLOW_TESTS_UNIT_SERVER_COUNTING_BACKEND_H_

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "storage/ingest_backend.h"
#include "storage/model/mutex.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::testing {

class CountingBackend final : public storage::IngestBackend {
 public:
  // Whether batches are durable at once; else on AckAll().
  explicit CountingBackend(bool ack_at_once = true)
      : ack_at_once_(ack_at_once) {}

  void OpenStream(storage::StreamOptions options,
                  std::shared_ptr<storage::StreamObserver> observer,
                  OpenedCallback done) override {
    if (options.run == unknown_run) {
      done(absl::NotFoundError("no such run"));
      return;
    }
    auto session = std::make_unique<Session>(this, std::move(observer));
    {
      storage::MutexLock lock(&mutex_);
      last_options_ = std::move(options);
      sessions_.insert(session.get());
      changed_.NotifyAll();
    }
    done(std::move(session));
  }
  size_t pending_bytes() const override { return pending_bytes_; }
  size_t max_pending_bytes() const override { return max_pending_bytes_; }

  // Everything appended is durable.
  void AckAll() {
    storage::MutexLock lock(&mutex_);
    for (Session* session : sessions_) session->Ack();
  }
  void EndAll(const absl::Status& status) {
    storage::MutexLock lock(&mutex_);
    for (Session* session : sessions_) session->observer_->OnEnded(status);
  }
  void set_pending_bytes(size_t bytes) { pending_bytes_ = bytes; }
  void set_max_pending_bytes(size_t bytes) { max_pending_bytes_ = bytes; }

  // These wait until it is so.
  void AwaitSessions(size_t count) {
    storage::MutexLock lock(&mutex_);
    while (sessions_.size() != count) changed_.Wait(&mutex_);
  }
  void AwaitBatches(size_t count) {
    storage::MutexLock lock(&mutex_);
    while (batches_.size() < count) changed_.Wait(&mutex_);
  }
  std::vector<std::string> batches() {
    storage::MutexLock lock(&mutex_);
    return batches_;
  }
  storage::StreamOptions last_options() {
    storage::MutexLock lock(&mutex_);
    return last_options_;
  }

  static inline const storage::Uuid unknown_run{{0xff}};

 private:
  class Session final : public storage::StreamSession {
   public:
    Session(CountingBackend* backend,
            std::shared_ptr<storage::StreamObserver> observer)
        : backend_(backend), observer_(std::move(observer)) {}
    ~Session() override {
      storage::MutexLock lock(&backend_->mutex_);
      backend_->sessions_.erase(this);
      backend_->changed_.NotifyAll();
    }
    const std::vector<storage::LanePosition>& known_lanes() const override {
      return known_;
    }
    absl::Status DeclareSchema(uint32_t,
                               std::vector<storage::Metric> metrics) override {
      if (metrics.empty()) return absl::InvalidArgumentError("no metrics");
      return absl::OkStatus();
    }
    std::optional<storage::Rejection> Append(storage::BatchBody body) override {
      v1::Batch batch;
      if (!batch.ParseFromArray(body.bytes.get(),
                                static_cast<int>(body.size))) {
        return storage::Rejection{absl::InvalidArgumentError("not a batch")};
      }
      storage::MutexLock lock(&backend_->mutex_);
      lanes_[batch.schema_id()] = batch.first_row() + batch.rows();
      unacked_ += body.size;
      backend_->batches_.emplace_back(body.view());
      backend_->changed_.NotifyAll();
      if (backend_->ack_at_once_) Ack();
      return std::nullopt;
    }
    void Heartbeat(int64_t) override {}

    // With the backend's lock.
    void Ack() {
      std::vector<storage::LanePosition> lanes;
      for (const auto& [schema, next_row] : std::exchange(lanes_, {})) {
        lanes.push_back({schema, next_row});
      }
      observer_->OnDurable(lanes, storage::Position{++backend_->position_},
                           std::exchange(unacked_, 0));
    }

    CountingBackend* const backend_;
    const std::shared_ptr<storage::StreamObserver> observer_;
    const std::vector<storage::LanePosition> known_ = {{7, 70}};
    std::map<uint32_t, uint64_t> lanes_;
    size_t unacked_ = 0;
  };

  const bool ack_at_once_;
  std::atomic<size_t> pending_bytes_{0};
  std::atomic<size_t> max_pending_bytes_{size_t{64} << 20};

  storage::Mutex mutex_;
  storage::CondVar changed_;
  std::set<Session*> sessions_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> batches_ ABSL_GUARDED_BY(mutex_);
  storage::StreamOptions last_options_ ABSL_GUARDED_BY(mutex_);
  uint64_t position_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace waterflow::testing

#endif  // WATERFLOW_TESTS_UNIT_SERVER_COUNTING_BACKEND_H_
