// Every bound on what comes from outside, as numbers. docs/limits.md explains
// them; they are checked before anything is allocated.
#ifndef WATERFLOW_STORAGE_MODEL_LIMITS_H_
#define WATERFLOW_STORAGE_MODEL_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace waterflow::storage {

inline constexpr size_t kMaxMessageBytes = 16u << 20;
inline constexpr uint32_t kMaxBatchRows = 65536;
inline constexpr uint32_t kMaxSchemaMetrics = 16384;
inline constexpr uint32_t kMaxStreamSchemas = 65536;
inline constexpr uint32_t kMaxRank = (1u << 24) - 1;
inline constexpr uint32_t kDefaultMaxWorkersPerRun = 65536;
inline constexpr uint32_t kMaxWritePoints = 65536;

inline constexpr size_t kMaxMetricNameBytes = 512;
inline constexpr size_t kMaxUnitBytes = 64;
inline constexpr size_t kMaxDescriptionBytes = 1024;
inline constexpr size_t kMaxMetricRoleBytes = 64;
inline constexpr size_t kMaxWorkerRoleBytes = 128;
inline constexpr size_t kMaxProjectNameBytes = 256;
inline constexpr size_t kMaxRunNameBytes = 256;
inline constexpr size_t kMaxRunKeyBytes = 256;
inline constexpr size_t kMaxTagKeyBytes = 256;
inline constexpr size_t kMaxTagValueBytes = 8192;
inline constexpr size_t kMaxRunTags = 10000;
inline constexpr uint32_t kMaxForkDepth = 64;
inline constexpr size_t kMaxProjectTags = 1024;
inline constexpr size_t kMaxRequestIdBytes = 64;

inline constexpr uint32_t kMaxReadRuns = 1000;
inline constexpr uint32_t kMaxReadMetrics = 1024;
inline constexpr uint32_t kMaxReadPoints = 1000000;
inline constexpr size_t kMaxReadQuantiles = 16;
inline constexpr uint32_t kMaxRankedWorkers = 10000;
inline constexpr uint32_t kMaxPageSize = 10000;
inline constexpr uint32_t kDefaultPageSize = 1000;

inline constexpr size_t kMaxFilterBytes = 65536;
inline constexpr uint32_t kMaxFilterDepth = 100;
inline constexpr uint32_t kMaxFilterComparisons = 256;
inline constexpr size_t kMaxLikePatternBytes = 1024;
inline constexpr size_t kMaxOrderBy = 16;
// Fields that the filter and the order of a search name together.
inline constexpr size_t kMaxSearchFields = 64;
inline constexpr size_t kMaxSearchProjects = 1000;
inline constexpr uint32_t kDefaultSearchPageSize = 100;
inline constexpr size_t kMaxTableColumns = 1024;
// Fields that runs are grouped by.
inline constexpr size_t kMaxGroupBy = 16;
inline constexpr size_t kMaxMetricPatterns = 64;
inline constexpr size_t kMaxMetricPatternBytes = 1024;
// Memory of one compiled pattern.
inline constexpr int64_t kMaxMetricPatternMemoryBytes = 256 << 10;
inline constexpr size_t kMaxRankRanges = 1024;
inline constexpr size_t kMaxRoles = 64;
inline constexpr size_t kMaxDerivations = 8;
// Points or buckets of two metrics of a run that wait for each other.
inline constexpr size_t kMaxPairedPoints = 4u << 20;
inline constexpr size_t kMaxFuzzyBytes = 64;
// Of ListMetrics: metadata of metrics in a page.
inline constexpr size_t kMaxMetricPageBytes = 2u << 20;
inline constexpr uint64_t kMaxTailRows = 1000000;
// (schema, worker) pairs of all runs of a subscription.
inline constexpr size_t kMaxTailLanes = 65536;
inline constexpr size_t kMaxTailTokenBytes = 1u << 20;
inline constexpr uint32_t kMaxTails = 64;
// Points or buckets in one part of an answer.
inline constexpr size_t kPartPoints = 65536;

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_LIMITS_H_
