// What a search can ask of a run: its metrics, params and tags by key, and a
// few attributes. docs/search.md tells a user the same.
#ifndef WATERFLOW_STORAGE_SEARCH_FIELD_H_
#define WATERFLOW_STORAGE_SEARCH_FIELD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/model/records.h"

namespace waterflow::storage {

enum class Entity : uint8_t { kAttribute, kMetric, kParam, kTag };

enum class Attribute : uint8_t {
  kNone,  // of a field that is none
  kRunId,
  kName,
  kStatus,
  kProject,
  kStartTime,
  kEndTime,
  kCreatedTime,
};

struct Field {
  Entity entity = Entity::kAttribute;
  Attribute attribute = Attribute::kNone;
  std::string key;  // of a metric, param or tag
  // Of a metric.
  Statistic statistic = Statistic::kLast;
  Reduction reduction = Reduction::kDefault;  // never kNone
  std::string best_of{};  // of kAtBest, the metric that says where

  friend bool operator==(const Field&, const Field&) = default;
};

enum class FieldType : uint8_t {
  kNumber,
  kTime,  // compared as Unix milliseconds
  kText,
};

FieldType TypeOf(const Field& field);

// The entity that a name before a dot stands for ("metrics", "param"). Absent:
// none.
std::optional<Entity> FindEntity(absl::string_view name);

// The field that an attribute's name stands for: an attribute, or a tag that
// MLflow shows as one. Absent: none.
std::optional<Field> FindAttribute(absl::string_view name);

// "min", "at_best"; and "mean", "sum", "min", "max" over workers.
std::optional<Statistic> FindStatistic(absl::string_view name);
std::optional<Reduction> FindReduction(absl::string_view name);

// Names for messages.
absl::string_view EntityNames();
absl::string_view AttributeNames();
absl::string_view ReductionNames();

// As it is written in a filter.
std::string ToString(const Field& field);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_FIELD_H_
