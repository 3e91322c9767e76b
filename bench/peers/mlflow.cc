// MLflow's tracking server on SQLite, its default, by log-batch: JSON, at most
// 1,000 values a call.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/http_call.h"
#include "bench/peers/http_peer.h"
#include "bench/peers/peer.h"
#include "bench/peers/row_cursor.h"

namespace waterflow::bench {
namespace {

// SQLite takes one writer at a time; more of them only wait for its lock, and
// fail when that takes too long.
constexpr size_t kConnections = 8;

class LogBatchRequests final : public HttpRequests {
 public:
  LogBatchRequests(const Shape& shape, const Dataset& dataset,
                   std::vector<std::string> runs)
      : rows_(dataset, kConnections, shape.rows, /*repeat=*/true),
        runs_(std::move(runs)) {}

  uint64_t Next(size_t connection, std::string* body) override {
    const RowRange* range = rows_.Next(connection);
    if (range == nullptr) return 0;
    nlohmann::json metrics = nlohmann::json::array();
    for (size_t row = 0; row < range->rows; ++row) {
      for (size_t m = 0; m < range->lane->metrics.size(); ++m) {
        metrics.push_back({{"key", range->lane->metrics[m]},
                           {"value", range->value(m, row)},
                           {"timestamp", range->time_ns(row) / 1'000'000},
                           {"step", range->step(row)}});
      }
    }
    const uint64_t samples = metrics.size();
    *body = nlohmann::json({{"run_id", runs_[range->worker->rank]},
                            {"metrics", std::move(metrics)}})
                .dump();
    return samples;
  }

 private:
  RowCursor rows_;
  const std::vector<std::string> runs_;  // by rank
};

class MlflowPeer final : public Peer {
 public:
  explicit MlflowPeer(const PeerOptions& options) : options_(options) {}

  absl::Status Installed() const override {
    return Program().empty() ? NotInstalled(kMlflow) : absl::OkStatus();
  }
  std::string version() const override {
    return absl::StrCat(InstalledVersion(options_.peers, kMlflow),
                        " on SQLite");
  }
  absl::StatusOr<Measures> Run(const Shape& shape, const Dataset& workload,
                               absl::Duration window) override;

 private:
  std::filesystem::path Program() const {
    return FindProgram(options_.peers / "mlflow", kMlflow);
  }

  const PeerOptions& options_;
};

// A run for each worker; MLflow has no notion of a rank.
absl::StatusOr<std::vector<std::string>> MakeRuns(uint16_t port, size_t count) {
  std::vector<std::string> runs;
  for (size_t i = 0; i < count; ++i) {
    const absl::StatusOr<std::string> answer =
        HttpCall(port, "/api/2.0/mlflow/runs/create",
                 nlohmann::json({{"experiment_id", "0"},
                                 {"run_name", absl::StrCat("rank ", i)}})
                     .dump());
    if (!answer.ok()) return answer.status();
    const nlohmann::json json = nlohmann::json::parse(*answer, nullptr, false);
    const nlohmann::json::json_pointer id("/run/info/run_id");
    if (json.is_discarded() || !json.contains(id)) {
      return absl::InternalError(absl::StrCat("runs/create: ", *answer));
    }
    runs.push_back(json.at(id).get<std::string>());
  }
  return runs;
}

absl::StatusOr<Measures> MlflowPeer::Run(const Shape& shape,
                                         const Dataset& workload,
                                         absl::Duration window) {
  auto server = HttpServer::Start(
      {.command = {Program().string(), "server", "--host", "127.0.0.1",
                   "--port", "{port}", "--backend-store-uri",
                   "sqlite:///{data}/mlflow.db", "--artifacts-destination",
                   "{data}/artifacts"},
       .files = {},
       .ready = "/health",
       .scratch = options_.scratch});
  if (!server.ok()) return server.status();
  // As many as send at a time: it is far from seeing all workers in a window.
  const Dataset some(workload.begin(),
                     workload.begin() + static_cast<int64_t>(std::min(
                                            kConnections, workload.size())));
  auto runs = MakeRuns((*server)->port(), some.size());
  if (!runs.ok()) return runs.status();
  HttpLoadOptions options;
  options.target = "/api/2.0/mlflow/runs/log-batch";
  options.headers = {{"Content-Type", "application/json"}};
  options.load.connections = static_cast<uint32_t>(some.size());
  options.load.window = window;
  LogBatchRequests requests(shape, some, *std::move(runs));
  return LoadAndWeigh(shape, std::move(options), server->get(), &requests);
}

}  // namespace

std::unique_ptr<Peer> MakeMlflow(const PeerOptions& options) {
  return std::make_unique<MlflowPeer>(options);
}

}  // namespace waterflow::bench
