// Waterflow, asked by Query.Read over gRPC.
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "bench/load.h"
#include "bench/query/subject.h"
#include "bench/target.h"
#include "bench/worker_load.h"
#include "waterflow/v1/query.grpc.pb.h"

namespace waterflow::bench {
namespace {

constexpr std::chrono::seconds kCallTimeout(60);
// Longer means that something hangs.
constexpr absl::Duration kLoadTimeout = absl::Minutes(5);
constexpr uint32_t kBatchRows = 64;
constexpr uint32_t kConnections = 4;

v1::ReadRequest RequestOf(const std::string& run_id, const std::string& metric,
                          const Question& question) {
  v1::ReadRequest request;
  request.add_run_ids(run_id);
  request.add_metrics(metric);
  switch (question.kind) {
    case QuestionKind::kOneSeries:
      request.add_workers()->set_rank(kOneRank);
      break;
    case QuestionKind::kAllRaw:
      break;
    case QuestionKind::kPerStep:
      request.set_reduction(v1::REDUCTION_MEAN);
      break;
    case QuestionKind::kBuckets:
      request.set_max_points(question.buckets);
  }
  return request;
}

class WaterflowSubject final : public Subject {
 public:
  explicit WaterflowSubject(const PeerOptions& options) : options_(options) {}

  std::string version() const override { return version_; }
  absl::Status Load(const QuestionSet& set, const Dataset& data) override;
  absl::StatusOr<Measured> Measure(const QuestionSet& set,
                                   const Question& question,
                                   absl::Duration duration) override;

 private:
  // Tells `answer` of each part, unless it is null.
  absl::Status Ask(const v1::ReadRequest& request, Answer* answer);

  const PeerOptions& options_;
  std::string version_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<v1::Query::Stub> stub_;
  std::string run_id_;
};

absl::Status WaterflowSubject::Load(const QuestionSet&, const Dataset& data) {
  stub_.reset();
  target_.reset();
  auto target =
      Target::Start(WaterflowdCommand(options_.waterflowd, options_.sync,
                                      /*threads=*/1, options_.server_flags),
                    options_.scratch);
  if (!target.ok()) return target.status();
  target_ = *std::move(target);
  const absl::StatusOr<v1::StatsResponse> stats = target_->Stats();
  if (!stats.ok()) return stats.status();
  version_ =
      absl::StrCat(stats->server_version(), ", ", stats->storage_version());
  absl::StatusOr<std::string> run = target_->CreateRun(data[0].run);
  if (!run.ok()) return run.status();
  run_id_ = *std::move(run);
  LoadOptions load;
  load.address = target_->address();
  load.shape = LoadShape::kOnce;
  load.connections = kConnections;
  load.window = kLoadTimeout;
  load.counters = [] { return OsCounters(); };  // what it costs is ingest's
  const absl::StatusOr<LoadResult> loaded =
      RunLoad(load, EncodeWorkers(data, kBatchRows, {{data[0].run, run_id_}}));
  if (!loaded.ok()) return loaded.status();
  stub_ = v1::Query::NewStub(target_->channel());
  return target_->Flush();
}

absl::Status WaterflowSubject::Ask(const v1::ReadRequest& request,
                                   Answer* answer) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  const auto reader = stub_->Read(&context, request);
  v1::ReadResponse response;
  while (reader->Read(&response)) {
    if (answer == nullptr) continue;
    answer->bytes += response.ByteSizeLong();
    for (const v1::SeriesPart& part : response.parts()) {
      answer->numbers +=
          part.values_size() + uint64_t{3} * part.buckets().value_size();
      for (const double v : part.values()) {
        answer->max = std::fmax(answer->max, v);
      }
      for (const double v : part.buckets().max()) {
        answer->max = std::fmax(answer->max, v);
      }
    }
  }
  const grpc::Status status = reader->Finish();
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

absl::StatusOr<Measured> WaterflowSubject::Measure(const QuestionSet& set,
                                                   const Question& question,
                                                   absl::Duration duration) {
  const v1::ReadRequest request =
      RequestOf(run_id_, W1Names(set.data.metrics)[0], question);
  return MeasureCalls({.look = [&]() -> absl::StatusOr<Answer> {
                         Answer answer;
                         const absl::Status asked = Ask(request, &answer);
                         if (!asked.ok()) return asked;
                         return answer;
                       },
                       .ask = [&] { return Ask(request, nullptr); },
                       .cpu_seconds = [&]() -> absl::StatusOr<double> {
                         const absl::StatusOr<ProcessUsage> usage =
                             target_->Usage();
                         if (!usage.ok()) return usage.status();
                         return usage->cpu_seconds;
                       }},
                      duration);
}

}  // namespace

std::unique_ptr<Subject> MakeWaterflowSubject(const PeerOptions& options) {
  return std::make_unique<WaterflowSubject>(options);
}

}  // namespace waterflow::bench
