// The request ids of unary writes that were answered lately, so that a repeat
// is harmless: for 24 hours, at most 1,000,000 of them.
#ifndef WATERFLOW_STORAGE_CATALOG_REQUEST_MEMORY_H_
#define WATERFLOW_STORAGE_CATALOG_REQUEST_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/format/catalog_record.h"

namespace waterflow::storage {

inline constexpr size_t kMaxRequests = 1000000;
inline constexpr absl::Duration kRequestAge = absl::Hours(24);

class RequestMemory {
 public:
  std::optional<RequestValue> Find(absl::string_view id) const;
  void Put(absl::string_view id, const RequestValue& value);
  void Erase(absl::string_view id);
  // The oldest one, if it is to be forgotten at `now_ns`.
  std::optional<std::string> Expired(int64_t now_ns) const;

 private:
  absl::flat_hash_map<std::string, RequestValue> requests_;
  absl::btree_set<std::pair<int64_t, std::string>> by_age_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CATALOG_REQUEST_MEMORY_H_
