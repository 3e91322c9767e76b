// The points of EngineOptions::at_point, at each of which the crash and model
// suites kill the engine or let its disk lose power.
#ifndef WATERFLOW_TESTS_POINTS_H_
#define WATERFLOW_TESTS_POINTS_H_

namespace waterflow::storage {

inline constexpr const char* kPoints[] = {
    "commit:before_log",   "commit:after_log",    "commit:before_ack",
    "seal:before_files",   "seal:after_files",    "seal:after_ingest",
    "seal:after_commit",   "seal:before_reclaim", "seal:after_reclaim",
    "merge:after_files",   "merge:before_ingest", "merge:after_ingest",
    "merge:after_commit",  "merge:after_drop",    "delete:after_record",
    "recover:before_drop", "recover:in_replay",   "recover:after_replay"};

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_POINTS_H_
