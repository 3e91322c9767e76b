#include "storage/search/field.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace waterflow::storage {
namespace {

constexpr std::pair<absl::string_view, Entity> kEntities[] = {
    {"metrics", Entity::kMetric},
    {"metric", Entity::kMetric},
    {"params", Entity::kParam},
    {"param", Entity::kParam},
    {"parameters", Entity::kParam},
    {"parameter", Entity::kParam},
    {"tags", Entity::kTag},
    {"tag", Entity::kTag},
    {"attributes", Entity::kAttribute},
    {"attribute", Entity::kAttribute},
    {"attr", Entity::kAttribute},
    {"run", Entity::kAttribute},
};

// MLflow's names are among them.
constexpr std::pair<absl::string_view, Attribute> kAttributes[] = {
    {"run_id", Attribute::kRunId},
    {"name", Attribute::kName},
    {"run_name", Attribute::kName},
    {"run name", Attribute::kName},
    {"Run name", Attribute::kName},
    {"Run Name", Attribute::kName},
    {"status", Attribute::kStatus},
    {"project", Attribute::kProject},
    {"start_time", Attribute::kStartTime},
    {"created", Attribute::kStartTime},
    {"Created", Attribute::kStartTime},
    {"end_time", Attribute::kEndTime},
    {"created_time", Attribute::kCreatedTime},
};

}  // namespace

FieldType TypeOf(const Field& field) {
  if (field.entity == Entity::kMetric) return FieldType::kNumber;
  switch (field.attribute) {
    case Attribute::kStartTime:
    case Attribute::kEndTime:
    case Attribute::kCreatedTime:
      return FieldType::kTime;
    default:
      return FieldType::kText;
  }
}

std::optional<Entity> FindEntity(absl::string_view name) {
  for (const auto& [known, entity] : kEntities) {
    if (known == name) return entity;
  }
  return std::nullopt;
}

std::optional<Field> FindAttribute(absl::string_view name) {
  for (const auto& [known, attribute] : kAttributes) {
    if (known == name) return Field{.attribute = attribute, .key = {}};
  }
  if (name == "user_id") {
    return Field{.entity = Entity::kTag, .key = "mlflow.user"};
  }
  return std::nullopt;
}

absl::string_view EntityNames() { return "metrics, params, tags, attributes"; }

absl::string_view AttributeNames() {
  return "run_id, name, status, project, start_time, end_time, created_time";
}

std::string ToString(const Field& field) {
  absl::string_view prefix;
  switch (field.entity) {
    case Entity::kMetric:
      prefix = "metrics";
      break;
    case Entity::kParam:
      prefix = "params";
      break;
    case Entity::kTag:
      prefix = "tags";
      break;
    case Entity::kAttribute:
      for (const auto& [name, attribute] : kAttributes) {
        if (attribute == field.attribute) return std::string(name);
      }
      return "attributes";
  }
  return absl::StrCat(prefix, ".`",
                      absl::StrReplaceAll(field.key, {{"`", "``"}}), "`");
}

}  // namespace waterflow::storage
