// A real engine on a temporary folder, and a stream that waits for its acks.
#ifndef WATERFLOW_TESTS_UNIT_ENGINE_FIXTURE_H_
#define WATERFLOW_TESTS_UNIT_ENGINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/engine.h"
#include "storage/format/batch.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

// Removed with everything in it at the end.
class TempDir {
 public:
  TempDir() {
    std::string name =
        (std::filesystem::temp_directory_path() / "waterflow-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Keeps what the engine said, and waits for it.
class RecordingObserver : public StreamObserver {
 public:
  void OnDurable(absl::Span<const LanePosition> lanes, Position position,
                 size_t /*bytes*/) override {
    MutexLock lock(&mutex_);
    for (const LanePosition& lane : lanes) {
      next_rows_[lane.schema] =
          std::max(next_rows_[lane.schema], lane.next_row);
    }
    position_ = position;
    changed_.NotifyAll();
  }
  void OnEnded(absl::Status status) override {
    MutexLock lock(&mutex_);
    ended_ = std::move(status);
    changed_.NotifyAll();
  }
  // Until all rows below are durable, or the session ended.
  bool WaitFor(uint32_t schema, uint64_t next_row) {
    MutexLock lock(&mutex_);
    while (!ended_.has_value() && next_rows_[schema] < next_row) {
      if (!changed_.WaitFor(&mutex_, absl::Seconds(30))) return false;
    }
    return next_rows_[schema] >= next_row;
  }
  absl::Status WaitForEnd() {
    MutexLock lock(&mutex_);
    while (!ended_.has_value()) {
      if (!changed_.WaitFor(&mutex_, absl::Seconds(30))) {
        return absl::DeadlineExceededError("not ended");
      }
    }
    return *ended_;
  }
  bool ended() {
    MutexLock lock(&mutex_);
    return ended_.has_value();
  }
  Position position() {
    MutexLock lock(&mutex_);
    return position_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<uint32_t, uint64_t> next_rows_;
  std::optional<absl::Status> ended_;
  Position position_;
};

// A session and its observer.
struct TestStream {
  std::shared_ptr<RecordingObserver> observer =
      std::make_shared<RecordingObserver>();
  std::unique_ptr<StreamSession> session;

  absl::Status Declare(uint32_t schema, const std::vector<std::string>& names) {
    std::vector<Metric> metrics;
    for (const std::string& name : names) metrics.emplace_back().name = name;
    return session->DeclareSchema(schema, std::move(metrics));
  }
  std::optional<Rejection> Append(const std::string& batch) {
    return session->Append(BatchBody::Copy(batch));
  }
};

// Opens stream->session for stream->observer.
inline absl::Status OpenAndWait(IngestBackend* engine, StreamOptions options,
                                TestStream* stream) {
  struct Result {
    Mutex mutex;
    CondVar done;
    std::optional<absl::StatusOr<std::unique_ptr<StreamSession>>> session;
  };
  auto result = std::make_shared<Result>();
  engine->OpenStream(
      std::move(options), stream->observer,
      [result](absl::StatusOr<std::unique_ptr<StreamSession>> session) {
        MutexLock lock(&result->mutex);
        result->session = std::move(session);
        result->done.NotifyAll();
      });
  MutexLock lock(&result->mutex);
  while (!result->session.has_value()) result->done.Wait(&result->mutex);
  if (!result->session->ok()) return result->session->status();
  stream->session = *std::move(*result->session);
  return absl::OkStatus();
}

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  EngineOptions Options() {
    EngineOptions options = options_;
    options.data_dir = dir_.path() + "/data";
    options.gather = absl::Milliseconds(1);
    return options;
  }
  void Reopen() {
    engine_.reset();
    absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(Options());
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  Uuid MakeRun(const std::string& name = "run") {
    CreateRunOptions options;
    options.name = name;
    auto run = engine_->CreateRun(options);
    EXPECT_TRUE(run.ok()) << run.status();
    return run->first.id;
  }
  static StreamOptions Opening(const Uuid& run, uint32_t rank = 0) {
    StreamOptions options;
    options.run = run;
    options.worker.rank = rank;
    options.stream.bytes[0] = static_cast<uint8_t>(rank + 1);
    options.stream.bytes[1] = static_cast<uint8_t>((rank + 1) >> 8);
    options.client_time_ns = 1'000'000'000;
    return options;
  }
  absl::StatusOr<TestStream> OpenStream(StreamOptions options) {
    TestStream stream;
    absl::Status s = OpenAndWait(engine_.get(), std::move(options), &stream);
    if (!s.ok()) return s;
    return stream;
  }

  // Rows first_row ... of one metric: value = f(row), step = row, time = row s.
  static std::string Rows(uint32_t schema, uint64_t first_row, uint32_t rows,
                          double offset = 0) {
    std::vector<int64_t> steps;
    std::vector<int64_t> times;
    std::vector<double> values;
    for (uint32_t r = 0; r < rows; ++r) {
      const int64_t row = static_cast<int64_t>(first_row + r);
      steps.push_back(row);
      times.push_back(row * 1'000'000'000);
      values.push_back(static_cast<double>(row) * 0.5 + offset);
    }
    return BatchBuilder(schema, first_row, rows)
        .Steps(steps)
        .Times(times)
        .Float64(0, values)
        .Build();
  }

  // All points of one metric of a run, by rank.
  std::map<uint32_t, Points> ReadRaw(const Uuid& run, const std::string& metric,
                                     Axis axis = Axis::kStep) {
    ReadSpec spec;
    spec.runs = {run};
    spec.metrics = {metric};
    spec.axis = axis;
    std::map<uint32_t, Points> all;
    const auto summary = engine_->Read(spec, [&](SeriesPart part) {
      Points& p = all[part.worker->rank];
      const auto append = [](const auto& from, auto* to) {
        to->insert(to->end(), from.begin(), from.end());
      };
      append(part.points.steps, &p.steps);
      append(part.points.times_ns, &p.times_ns);
      append(part.points.values, &p.values);
      append(part.points.has_step, &p.has_step);
      append(part.points.time_stamped, &p.time_stamped);
      return absl::OkStatus();
    });
    EXPECT_TRUE(summary.ok()) << summary.status();
    return all;
  }

  TempDir dir_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_UNIT_ENGINE_FIXTURE_H_
