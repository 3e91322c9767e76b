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

constexpr std::pair<absl::string_view, Statistic> kStatistics[] = {
    {"last", Statistic::kLast}, {"min", Statistic::kMin},
    {"max", Statistic::kMax},   {"mean", Statistic::kMean},
    {"best", Statistic::kBest}, {"at_best", Statistic::kAtBest},
};

constexpr std::pair<absl::string_view, Reduction> kReductions[] = {
    {"mean", Reduction::kMean},
    {"sum", Reduction::kSum},
    {"min", Reduction::kMin},
    {"max", Reduction::kMax},
};

std::string Quote(absl::string_view key) {
  return absl::StrCat("`", absl::StrReplaceAll(key, {{"`", "``"}}), "`");
}

template <typename Names, typename Value>
absl::string_view NameOf(const Names& names, Value value) {
  for (const auto& [name, known] : names) {
    if (known == value) return name;
  }
  return "";
}

// `metric` is "metrics.KEY".
std::string FunctionOf(const Field& field, absl::string_view metric) {
  std::string text =
      absl::StrCat(NameOf(kStatistics, field.statistic), "(", metric);
  if (field.statistic == Statistic::kAtBest) {
    absl::StrAppend(&text, ", metrics.", Quote(field.best_of));
  }
  if (field.reduction != Reduction::kDefault) {
    absl::StrAppend(&text, ", ", NameOf(kReductions, field.reduction));
  }
  return absl::StrCat(text, ")");
}

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

std::optional<Statistic> FindStatistic(absl::string_view name) {
  for (const auto& [known, statistic] : kStatistics) {
    if (known == name) return statistic;
  }
  return std::nullopt;
}

std::optional<Reduction> FindReduction(absl::string_view name) {
  for (const auto& [known, reduction] : kReductions) {
    if (known == name) return reduction;
  }
  return std::nullopt;
}

absl::string_view ReductionNames() { return "mean, sum, min or max"; }

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
  const std::string named = absl::StrCat(prefix, ".", Quote(field.key));
  return field.statistic == Statistic::kLast &&
                 field.reduction == Reduction::kDefault
             ? named
             : FunctionOf(field, named);
}

}  // namespace waterflow::storage
