// The ids of the engine as types, so that a swapped argument does not compile.
//
// External names (runs, streams) are 128 bit and made by clients. Compact ids
// are local to one store, count up and are never used again.
#ifndef WATERFLOW_STORAGE_MODEL_IDS_H_
#define WATERFLOW_STORAGE_MODEL_IDS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace waterflow::storage {

// A number with a type of its own: Id<struct RunTag> and Id<struct WorkerTag>
// do not mix.
template <typename Tag, typename Rep>
struct Id {
  Rep value = 0;

  friend auto operator<=>(const Id&, const Id&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.value);
  }
};

using ProjectId = Id<struct ProjectTag, uint32_t>;
using RunId = Id<struct RunTag, uint32_t>;
// Counts the workers of one run from 0.
using WorkerId = Id<struct WorkerTag, uint32_t>;
// Counts the schemas of one run from 0.
using SchemaId = Id<struct SchemaTag, uint32_t>;
// A metric name, interned for the whole store.
using MetricId = Id<struct MetricTag, uint32_t>;
// Generations of blocks count from 1; a higher one is newer.
using GenerationId = Id<struct GenerationTag, uint32_t>;
// A place in the log: the number of a commit group, from 1. Everything up to
// and including it is durable once it was handed out. 0: before everything.
using Position = Id<struct PositionTag, uint64_t>;

// A 128-bit name made by a client.
struct Uuid {
  std::array<uint8_t, 16> bytes{};

  // 32 lowercase hexadecimal digits.
  std::string ToHex() const;
  // INVALID_ARGUMENT unless `hex` is 32 hexadecimal digits of either case.
  static absl::StatusOr<Uuid> FromHex(absl::string_view hex);
  // INVALID_ARGUMENT unless `raw` has 16 bytes.
  static absl::StatusOr<Uuid> FromBytes(absl::string_view raw);
  // A random one (version 4 of RFC 9562).
  static Uuid Random();
  absl::string_view raw() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine(std::move(h), id.bytes);
  }
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_IDS_H_
