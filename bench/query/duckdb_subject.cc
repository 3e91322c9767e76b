// DuckDB over a Parquet file, embedded in a Python process that asks it by
// itself: bench/query/duckdb_ask.py.
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "bench/peers/http_server.h"
#include "bench/process.h"
#include "bench/query/subject.h"
#include "bench/scratch_folder.h"
#include "bench/stop.h"

namespace waterflow::bench {
namespace {

constexpr absl::Duration kTimeout = absl::Minutes(5);

class DuckDbSubject final : public Subject {
 public:
  explicit DuckDbSubject(const PeerOptions& options) : options_(options) {}

  absl::Status Installed() const override {
    return std::filesystem::exists(python()) ? absl::OkStatus()
                                             : NotInstalled(kDuckDb);
  }
  std::string version() const override {
    return absl::StrCat(InstalledVersion(options_.peers, kDuckDb),
                        " over Parquet, one thread, in a Python process");
  }
  absl::Status Load(const QuestionSet& set, const Dataset& data) override;
  absl::StatusOr<Measured> Measure(const QuestionSet& set,
                                   const Question& question,
                                   absl::Duration duration) override;

 private:
  std::filesystem::path python() const {
    return options_.peers / kDuckDb / "bin" / "python";
  }
  // Runs the script with these arguments to its end.
  absl::Status Run(std::vector<std::string> arguments) const;

  const PeerOptions& options_;
  std::unique_ptr<ScratchFolder> folder_;
};

template <typename T>
void WriteColumn(const std::vector<T>& column, std::ofstream& out) {
  out.write(reinterpret_cast<const char*>(column.data()),
            static_cast<std::streamsize>(column.size() * sizeof(T)));
}

absl::Status DuckDbSubject::Run(std::vector<std::string> arguments) const {
  std::vector<std::string> command = {python().string(), "-B",
                                      "bench/query/duckdb_ask.py",
                                      folder_->path().string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto child = ChildProcess::Start(command, (folder_->path() / "log").string());
  if (!child.ok()) return child.status();
  const absl::Time end = absl::Now() + kTimeout;
  while ((*child)->Running()) {
    if (absl::Now() > end) return absl::DeadlineExceededError("DuckDB hangs");
    if (!SleepUnlessStopped(absl::Milliseconds(20))) {
      return absl::CancelledError("stopped");
    }
  }
  const absl::Status ended = (*child)->Stop();
  if (ended.ok()) return ended;
  return absl::InternalError(
      absl::StrCat(ended.message(), ":\n", (*child)->Log()));
}

absl::Status DuckDbSubject::Load(const QuestionSet&, const Dataset& data) {
  folder_ = std::make_unique<ScratchFolder>(options_.scratch);
  const LaneRows& first = data[0].lanes[0];
  // Columns one after the other, each of all workers, which is what the script
  // reads.
  const auto file = [this](const std::string& name) {
    return std::ofstream(folder_->path() / name, std::ios::binary);
  };
  std::ofstream ranks = file("rank.i4");
  std::ofstream steps = file("step.i8");
  std::ofstream times = file("time_ns.i8");
  for (const WorkerRows& worker : data) {
    const LaneRows& lane = worker.lanes[0];
    WriteColumn(
        std::vector<int32_t>(lane.rows(), static_cast<int32_t>(worker.rank)),
        ranks);
    WriteColumn(lane.steps, steps);
    WriteColumn(lane.times_ns, times);
  }
  for (size_t m = 0; m < first.metrics.size(); ++m) {
    std::ofstream values = file(first.metrics[m] + ".f8");
    for (const WorkerRows& worker : data) {
      WriteColumn(worker.lanes[0].columns[m], values);
    }
    if (!values) return absl::InternalError("cannot write columns");
  }
  for (std::ofstream* out : {&ranks, &steps, &times}) out->close();
  return Run({"load"});
}

absl::StatusOr<Measured> DuckDbSubject::Measure(const QuestionSet& set,
                                                const Question& question,
                                                absl::Duration duration) {
  const std::string metric = W1Names(set.data.metrics)[0];
  const char* kind = "";
  switch (question.kind) {
    case QuestionKind::kOneSeries:
      kind = "one";
      break;
    case QuestionKind::kAllRaw:
      kind = "raw";
      break;
    case QuestionKind::kPerStep:
      kind = "step";
      break;
    case QuestionKind::kBuckets:
      kind = "buckets";
  }
  const absl::Status asked =
      Run({"ask", kind, metric, absl::StrCat(kOneRank),
           absl::StrCat(set.BucketSteps(question)),
           absl::StrCat(absl::ToDoubleSeconds(duration))});
  if (!asked.ok()) return asked;
  std::ifstream in(folder_->path() / "answer.json");
  const nlohmann::json json =
      nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InternalError("DuckDB did not answer");
  return Measured{.answer = {.numbers = json["numbers"], .max = json["max"]},
                  .calls = json["calls"],
                  .p50_ms = json["p50_ms"],
                  .p99_ms = json["p99_ms"],
                  .cpu_ms = json["cpu_ms"]};
}

}  // namespace

std::unique_ptr<Subject> MakeDuckDbSubject(const PeerOptions& options) {
  return std::make_unique<DuckDbSubject>(options);
}

}  // namespace waterflow::bench
