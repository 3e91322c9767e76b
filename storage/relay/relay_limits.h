// What a relay takes of its node (docs/limits.md, "A relay").
#ifndef WATERFLOW_STORAGE_RELAY_RELAY_LIMITS_H_
#define WATERFLOW_STORAGE_RELAY_RELAY_LIMITS_H_

#include <cstdint>

namespace waterflow::storage {

// A sensible bound for a node's disk.
inline constexpr uint64_t kDefaultRelayDiskBytes = uint64_t{20} << 30;
// More memory gains a relay nothing: most rows stay for a moment.
inline constexpr uint64_t kMaxRelayMemoryBytes = uint64_t{256} << 20;

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_RELAY_LIMITS_H_
