#include "bench/ingest/shape.h"

namespace waterflow::bench {
namespace {

std::vector<Shape> MakeShapes() {
  const std::string wf = kWaterflow, sink = kSinkPeer, file = kFilePeer,
                    naive = kNaivePeer, vm = kVictoriaMetrics,
                    prom = kPrometheus, mlflow = kMlflow;
  using enum ShapeKind;
  return {
      {.key = "flood64",
       .name = "flood, 64 rows",
       .rows = 64,
       .seals = 8,
       .subjects = {sink, file, wf, vm, prom}},
      {.key = "flood100",
       .name = "flood, 100 rows by series",
       .rows = 100,
       .by_series = true,
       .seals = 8,
       .subjects = {wf, vm, prom}},
      {.key = "flood10",
       .name = "flood, 10 rows",
       .rows = 10,
       .share = 0.5,
       .seals = 8,
       .subjects = {wf, mlflow}},
      {.key = "flood1",
       .name = "flood, 1 row",
       .seals = 8,
       .subjects = {sink, file, wf, naive, vm, prom, mlflow}},
      {.key = "live4",
       .name = "live, 4 connections",
       .kind = kLive,
       .connections = 4,
       .seals = 8,
       .subjects = {sink, file, wf}},
      {.key = "live",
       .name = "live, a connection each",
       .kind = kLive,
       .seals = 8,
       .subjects = {sink, file, wf, vm, prom}},
      {.key = "barrier",
       .name = "live, all at once",
       .kind = kLive,
       .spread = 0,
       .share = 0.5,
       .subjects = {sink, file, wf}},
      {.key = "burst",
       .name = "1,000 workers each 5 s, all at once",
       .kind = kLive,
       .workers = 1000,
       .steps = 20,
       .connections = 64,
       .period = absl::Seconds(5),
       .spread = 0,
       .share = 0.5,
       .subjects = {sink, wf}},
      // Due every 4 ms, 64,000 a second: more than is taken.
      {.key = "threads1",
       .name = "rows without end, 1 polling thread",
       .kind = kLive,
       .period = absl::Milliseconds(4),
       .server_threads = 1,
       .share = 0.25,
       .subjects = {sink, wf}},
      {.key = "threads2",
       .name = "rows without end, 2 polling threads",
       .kind = kLive,
       .period = absl::Milliseconds(4),
       .server_threads = 2,
       .share = 0.25,
       .subjects = {sink, wf}},
      {.key = "threads4",
       .name = "rows without end, 4 polling threads",
       .kind = kLive,
       .period = absl::Milliseconds(4),
       .server_threads = 4,
       .share = 0.25,
       .subjects = {sink, wf}},
      {.key = "idle",
       .name = "10,000 idle streams",
       .kind = kIdle,
       .workers = 10000,
       .metrics = 10,
       .steps = 2,
       .connections = 64,
       .subjects = {wf}},
      {.key = "resume",
       .name = "2,000 clients back at once",
       .kind = kResume,
       .workers = 2000,
       .metrics = 20,
       .steps = 4,
       .connections = 2000,
       .subjects = {wf}},
      {.key = "cardinality",
       .name = "1,000,000 new series of 3 points",
       .kind = kOnce,
       .rows = 3,
       .by_series = true,
       .workers = 1000,
       .metrics = 1000,
       .steps = 3,
       .connections = 64,
       .weigh_memory = true,
       .subjects = {wf, vm, prom}},
      {.key = "w1",
       .name = "W1 once, 64 rows",
       .kind = kOnce,
       .rows = 64,
       .by_series = true,
       .subjects = {wf, vm, prom}},
      {.key = "trace",
       .name = "recorded training once, 64 rows",
       .kind = kTrace,
       .rows = 64,
       .subjects = {sink, file, wf}},
  };
}

}  // namespace

const std::vector<Shape>& Shapes() {
  static const auto* const kShapes = new std::vector<Shape>(MakeShapes());
  return *kShapes;
}

const std::vector<std::string>& Subjects() {
  static const auto* const kSubjects = new std::vector<std::string>{
      kSinkPeer,        kFilePeer,   kWaterflow, kNaivePeer,
      kVictoriaMetrics, kPrometheus, kMlflow};
  return *kSubjects;
}

}  // namespace waterflow::bench
