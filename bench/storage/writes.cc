// What the engine writes to disk for a byte that comes in: log, seals and
// merges, over many seals, until the store is settled; and that RocksDB's own
// compaction rewrites none of it. No network: workload W1 straight into the
// engine.
//
//   waterflow-writes-bench [--dir FOLDER] [--json FILE] [--runs 1 20 200]
//
// flood: batches of 64 rows, a seal of production's chunk length (about 430
// rows of a worker). live: one-row batches, a seal each five rows of a worker.
#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/batch.h"
#include "bench/storage/counting_env.h"
#include "bench/w1.h"
#include "storage/engine.h"
#include "storage/format/batch.h"

namespace waterflow::bench {
namespace {

struct Shape {
  std::string name;
  uint32_t workers = 64;
  uint32_t metrics = 100;
  uint32_t batch_rows = 64;
  uint32_t rows_a_seal = 430;  // of each worker
  uint32_t seals = 32;
};

struct Result {
  uint64_t payload = 0;
  uint64_t values = 0;
  storage::EngineStats stats;
  uint64_t log = 0, seals = 0, merges = 0, tables = 0, others = 0;
  uint64_t disk = 0;
};

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

// Waits for rows to be durable.
class Acks : public storage::StreamObserver {
 public:
  void OnDurable(absl::Span<const storage::LanePosition> lanes,
                 storage::Position, size_t) override {
    const std::lock_guard lock(mutex_);
    for (const auto& lane : lanes) next_row_ = lane.next_row;
    changed_.notify_all();
  }
  void OnEnded(absl::Status status) override {
    if (!status.ok()) Die(status);
  }
  void WaitFor(uint64_t next_row) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return next_row_ >= next_row; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_row_ = 0;
};

struct Stream {
  std::shared_ptr<Acks> acks = std::make_shared<Acks>();
  std::unique_ptr<storage::StreamSession> session;
  std::vector<EncodedBatch> batches;
  uint64_t rows = 0;  // in all batches
};

Stream OpenStream(storage::Engine& engine, const storage::Uuid& run,
                  const WorkerRows& worker, const Shape& shape) {
  Stream stream;
  storage::StreamOptions options;
  options.run = run;
  options.worker.rank = worker.rank;
  options.stream = storage::Uuid::Random();
  std::mutex mutex;
  std::condition_variable opened;
  engine.OpenStream(options, stream.acks, [&](auto session) {
    if (!session.ok()) Die(session.status());
    const std::lock_guard lock(mutex);
    stream.session = *std::move(session);
    opened.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    opened.wait(lock, [&] { return stream.session != nullptr; });
  }
  std::vector<storage::Metric> metrics;
  for (const std::string& name : worker.lanes[0].metrics) {
    metrics.emplace_back().name = name;
  }
  if (absl::Status s = stream.session->DeclareSchema(0, std::move(metrics));
      !s.ok()) {
    Die(s);
  }
  stream.batches = EncodeLane(0, worker.lanes[0], shape.batch_rows);
  stream.rows = worker.lanes[0].rows();
  return stream;
}

// The bytes of a Batch message: the fields of two parts of it are those of
// the whole.
std::string BatchBytes(const EncodedBatch& batch, uint64_t round_rows) {
  std::vector<int64_t> steps = batch.steps;
  std::vector<int64_t> times = batch.times_ns;
  for (int64_t& step : steps) step += static_cast<int64_t>(round_rows);
  for (int64_t& t : times) {
    t += static_cast<int64_t>(round_rows) * 1'000'000'000;
  }
  return absl::StrCat(
      storage::BatchBuilder(0, batch.first_row + round_rows, batch.rows)
          .Steps(steps)
          .Times(times)
          .Build(),
      batch.columns);
}

Result Measure(const Shape& shape, uint32_t runs, const std::string& dir) {
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  const Dataset w1 = MakeW1(
      {.workers = shape.workers, .metrics = shape.metrics, .steps = 384});
  BytesWritten written;
  const std::unique_ptr<rocksdb::Env> env = NewCountingEnv(&written);
  Result result;
  {
    storage::EngineOptions options;
    options.data_dir = dir;
    options.env = env.get();
    // What the heads of so many rows weigh.
    const std::vector<EncodedBatch> sample =
        EncodeLane(0, w1[0].lanes[0], shape.batch_rows);
    options.seal_bytes = (BatchBytes(sample[0], 0).size() + 80) *
                         uint64_t{shape.workers} * shape.rows_a_seal /
                         shape.batch_rows;
    auto opened = storage::Engine::Open(options);
    if (!opened.ok()) Die(opened.status());
    storage::Engine& engine = **opened;
    std::vector<storage::Uuid> ids;
    for (uint32_t r = 0; r < runs; ++r) {
      storage::CreateRunOptions create;
      create.name = absl::StrCat("run", r);
      auto run = engine.CreateRun(create);
      if (!run.ok()) Die(run.status());
      ids.push_back(run->first.id);
    }
    std::vector<Stream> streams;
    for (uint32_t w = 0; w < w1.size(); ++w) {
      streams.push_back(OpenStream(engine, ids[w % runs], w1[w], shape));
    }
    for (uint64_t round = 0; engine.Stats().seals < shape.seals; ++round) {
      for (size_t b = 0; b < streams[0].batches.size(); ++b) {
        for (Stream& stream : streams) {
          const std::string bytes =
              BatchBytes(stream.batches[b], round * stream.rows);
          result.payload += bytes.size();
          result.values += stream.batches[b].values;
          stream.session->Append(storage::BatchBody::Copy(bytes));
        }
        // All workers of one step at a time, as in training.
        const EncodedBatch& batch = streams[0].batches[b];
        for (Stream& stream : streams) {
          stream.acks->WaitFor(round * stream.rows + batch.first_row +
                               batch.rows);
        }
        if (engine.Stats().seals >= shape.seals) break;
      }
    }
    if (auto flushed = engine.Flush(); !flushed.ok()) Die(flushed.status());
    result.stats = engine.Stats();
    result.disk = result.stats.sst_bytes + result.stats.wal_bytes +
                  result.stats.manifest_bytes;
    streams.clear();
    opened->reset();
  }
  result.log = written.log;
  result.seals = written.seals;
  result.merges = written.merges;
  result.tables = written.tables;
  result.others = written.others;
  std::filesystem::remove_all(dir);
  return result;
}

nlohmann::ordered_json ToJson(const Shape& shape, uint32_t runs,
                              const Result& r) {
  const auto per_byte = [&r](uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(r.payload);
  };
  const auto per_value = [&r](uint64_t amount) {
    return static_cast<double>(amount) / static_cast<double>(r.values);
  };
  return {{"shape", shape.name},
          {"runs", runs},
          {"seals", r.stats.seals},
          {"merges", r.stats.merges},
          {"generations", r.stats.generations},
          {"payload_bytes", r.payload},
          {"values", r.values},
          {"log", per_byte(r.log)},
          {"seal", per_byte(r.seals)},
          {"merge", per_byte(r.merges)},
          {"rocksdb_tables", per_byte(r.tables)},
          {"other", per_byte(r.others)},
          {"written_per_byte",
           per_byte(r.log + r.seals + r.merges + r.tables + r.others)},
          {"compacted_bytes", r.stats.compacted_bytes},
          {"disk_bytes_per_value", per_value(r.disk)},
          {"seal_ns_per_value", per_value(r.stats.seal_cpu_ns)},
          {"merge_ns_per_value", per_value(r.stats.merge_cpu_ns)}};
}

void Print(const nlohmann::ordered_json& r) {
  absl::PrintF(
      "%-6s %5d %6d %7d %5d %6.2f %6.2f %6.2f %6.2f %7.2f %10d %7.2f %7.1f "
      "%7.1f\n",
      r["shape"].get<std::string>(), r["runs"].get<int>(),
      r["seals"].get<int>(), r["merges"].get<int>(),
      r["generations"].get<int>(), r["log"].get<double>(),
      r["seal"].get<double>(), r["merge"].get<double>(),
      r["rocksdb_tables"].get<double>() + r["other"].get<double>(),
      r["written_per_byte"].get<double>(), r["compacted_bytes"].get<int64_t>(),
      r["disk_bytes_per_value"].get<double>(),
      r["seal_ns_per_value"].get<double>(),
      r["merge_ns_per_value"].get<double>());
  std::fflush(stdout);
}

}  // namespace
}  // namespace waterflow::bench

int main(int argc, char** argv) {
  using namespace waterflow::bench;  // NOLINT: of this program alone
  CLI::App app("Bytes written to disk per byte that comes in");
  std::string dir =
      (std::filesystem::temp_directory_path() / "waterflow-writes").string();
  app.add_option("--dir", dir, "Folder for the stores; is emptied")
      ->capture_default_str();
  std::string json_file;
  app.add_option("--json", json_file, "Write the results there too");
  std::vector<uint32_t> runs = {1, 20, 200};
  app.add_option("--runs", runs, "Runs that are live at once");
  std::string only;
  app.add_option("--shape", only, "flood or live; both when not given");
  CLI11_PARSE(app, argc, argv);

  const std::vector<Shape> shapes = {{.name = "flood"},
                                     {.name = "live",
                                      .workers = 256,
                                      .batch_rows = 1,
                                      .rows_a_seal = 5,
                                      .seals = 72}};
  std::printf("%s\n", waterflow::storage::StorageVersion().c_str());
  std::printf("bytes written per byte that came in; ns of CPU per value\n");
  std::printf(
      "shape   runs  seals  merges  gens    log   seal  merge  other   total "
      " compacted  B/value seal ns merge ns\n");
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (Shape shape : shapes) {
    if (!only.empty() && shape.name != only) continue;
    for (const uint32_t n : runs) {
      // At least one worker a run.
      shape.workers = std::max(shape.workers, n);
      all.push_back(ToJson(shape, n, Measure(shape, n, dir + "/store")));
      Print(all.back());
    }
  }
  if (!json_file.empty()) std::ofstream(json_file) << all.dump(2) << '\n';
  return 0;
}
