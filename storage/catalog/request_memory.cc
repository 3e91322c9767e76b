#include "storage/catalog/request_memory.h"

#include <utility>

namespace waterflow::storage {

std::optional<RequestValue> RequestMemory::Find(absl::string_view id) const {
  const auto it = requests_.find(id);
  if (it == requests_.end()) return std::nullopt;
  return it->second;
}

void RequestMemory::Put(absl::string_view id, const RequestValue& value) {
  Erase(id);
  requests_.emplace(id, value);
  by_age_.emplace(value.made_ns, std::string(id));
}

void RequestMemory::Erase(absl::string_view id) {
  const auto it = requests_.find(id);
  if (it == requests_.end()) return;
  by_age_.erase({it->second.made_ns, std::string(id)});
  requests_.erase(it);
}

std::optional<std::string> RequestMemory::Expired(int64_t now_ns) const {
  if (by_age_.empty()) return std::nullopt;
  const auto& [made_ns, id] = *by_age_.begin();
  const bool old = made_ns < now_ns - absl::ToInt64Nanoseconds(kRequestAge);
  if (!old && requests_.size() <= kMaxRequests) return std::nullopt;
  return id;
}

}  // namespace waterflow::storage
