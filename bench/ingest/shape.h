// The shapes of load that scripts/bench ingest measures, and on whom.
#ifndef WATERFLOW_BENCH_INGEST_SHAPE_H_
#define WATERFLOW_BENCH_INGEST_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace waterflow::bench {

enum class ShapeKind {
  kFlood,   // as fast as it is taken
  kLive,    // a request per worker each period, whatever the server does
  kOnce,    // each sample of the workload once
  kTrace,   // the recorded telemetry once
  kResume,  // all once, a restart, and all of them back at the same moment
  kIdle,    // streams that are open and say nothing
};

struct Shape {
  std::string key;   // "flood64", for --only
  std::string name;  // "flood, 64 rows", in tables
  ShapeKind kind = ShapeKind::kFlood;
  uint32_t rows = 1;  // in a request
  // Peers that take series rather than rows: all samples of a series together,
  // so that its labels are sent once a request. That suits them best.
  bool by_series = false;
  // The workload: W1 with these sizes.
  uint32_t workers = 256;
  uint32_t metrics = 100;
  uint32_t steps = 400;
  uint32_t connections = 0;  // 0: one for each worker
  absl::Duration period = absl::Milliseconds(50);
  double spread = 1;  // see LoadOptions
  uint32_t server_threads = 1;
  // Of a stream, at most, whatever credit the server gives. What lies in queues
  // is paid for twice: acks take as long as it takes to drain them, and bytes
  // are cold when they are copied.
  size_t in_flight_bytes = size_t{256} << 10;
  double share = 1;           // of the window that was asked for
  uint32_t seals = 0;         // the window of Waterflow goes on until so many
  bool weigh_memory = false;  // its series in memory are what it is about
  // Whom it is measured on, in this order.
  std::vector<std::string> subjects;

  bool live() const { return kind == ShapeKind::kLive; }
};

// Subjects by name.
inline constexpr char kWaterflow[] = "waterflow";
inline constexpr char kSinkPeer[] = "sink";
inline constexpr char kFilePeer[] = "file";
inline constexpr char kNaivePeer[] = "naive";
inline constexpr char kVictoriaMetrics[] = "victoria-metrics";
inline constexpr char kPrometheus[] = "prometheus";
inline constexpr char kMlflow[] = "mlflow";
inline constexpr char kOtelCollector[] = "otel-collector";

const std::vector<Shape>& Shapes();
// Every subject once, in the order of tables.
const std::vector<std::string>& Subjects();

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_SHAPE_H_
