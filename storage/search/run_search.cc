#include "storage/search/run_search.h"

#include <algorithm>
#include <utility>

namespace waterflow::storage {
namespace {

// How many rows are looked at between two looks at `cancelled`.
constexpr uint32_t kStretch = 4096;

// The later start first, then the smaller id.
std::strong_ordering CompareTies(int64_t start_a, const Uuid& id_a,
                                 int64_t start_b, const Uuid& id_b) {
  if (start_a != start_b) return start_b <=> start_a;
  return id_a <=> id_b;
}

// One row as the filter sees it.
class RowFields : public RunFields {
 public:
  explicit RowFields(const RunSearch& search) : search_(search) {}
  void MoveTo(uint32_t row) { row_ = row; }
  FieldValue Get(uint32_t field) const override {
    return search_.Get(row_, field, &buffer_);
  }

 private:
  const RunSearch& search_;
  uint32_t row_ = 0;
  mutable std::string buffer_;
};

}  // namespace

absl::string_view StatusName(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "RUNNING";
    case RunStatus::kScheduled:
      return "SCHEDULED";
    case RunStatus::kFinished:
      return "FINISHED";
    case RunStatus::kFailed:
      return "FAILED";
    case RunStatus::kKilled:
      return "KILLED";
    case RunStatus::kLost:
      return "LOST";
    case RunStatus::kUnspecified:
      break;
  }
  return "";
}

FieldValue SearchPlace::Value::Get() const {
  FieldValue got = value;
  got.text = text;
  return got;
}

FieldValue RunSearch::Get(uint32_t index, uint32_t field,
                          std::string* buffer) const {
  const RunIndex::Column& column = source_.columns[field];
  if (column.metric != nullptr) return column.metric->Get(index);
  if (column.text != nullptr) return column.text->Get(index);
  const RunIndex::Row& row = source_.index.rows()[index];
  switch (source_.query.fields[field].attribute) {
    case Attribute::kRunId:
      *buffer = row.id.ToHex();
      return FieldValue::Text(*buffer);
    case Attribute::kStatus:
      return FieldValue::Text(StatusName(
          row.status == RunStatus::kRunning && source_.lost_rows.contains(index)
              ? RunStatus::kLost
              : row.status));
    case Attribute::kProject: {
      const auto name = source_.project_names.find(row.project);
      if (name == source_.project_names.end()) return {};
      return FieldValue::Text(name->second);
    }
    case Attribute::kStartTime:
      return FieldValue::Time(row.start_ns);
    case Attribute::kEndTime:
      return row.end_ns == 0 ? FieldValue() : FieldValue::Time(row.end_ns);
    case Attribute::kCreatedTime:
      return FieldValue::Time(row.created_ns);
    case Attribute::kName:
    case Attribute::kNone:
      break;
  }
  return {};
}

std::strong_ordering RunSearch::Compare(uint32_t a, uint32_t b) const {
  std::string buffer_a;
  std::string buffer_b;
  for (const OrderItem& item : source_.query.order) {
    const std::strong_ordering order =
        CompareInOrder(Get(a, item.field, &buffer_a),
                       Get(b, item.field, &buffer_b), item.descending);
    if (order != 0) return order;
  }
  const RunIndex::Row& row_a = source_.index.rows()[a];
  const RunIndex::Row& row_b = source_.index.rows()[b];
  return CompareTies(row_a.start_ns, row_a.id, row_b.start_ns, row_b.id);
}

std::strong_ordering RunSearch::Compare(uint32_t a,
                                        const SearchPlace& b) const {
  std::string buffer;
  for (size_t i = 0; i < source_.query.order.size(); ++i) {
    const OrderItem& item = source_.query.order[i];
    const std::strong_ordering order = CompareInOrder(
        Get(a, item.field, &buffer), b.values[i].Get(), item.descending);
    if (order != 0) return order;
  }
  const RunIndex::Row& row = source_.index.rows()[a];
  return CompareTies(row.start_ns, row.id, b.start_ns, b.id);
}

absl::StatusOr<RunSearch::Page> RunSearch::Find(
    const absl::flat_hash_set<ProjectId>* projects,
    const std::optional<SearchPlace>& after, size_t size,
    const std::function<bool()>& cancelled) const {
  Page page;
  RowFields fields(*this);
  const std::vector<RunIndex::Row>& rows = source_.index.rows();
  for (uint32_t row = 0; row < rows.size(); ++row) {
    if (row % kStretch == 0 && cancelled != nullptr && cancelled()) {
      return absl::CancelledError("the client left");
    }
    if (rows[row].run.value == 0) continue;
    if (projects != nullptr && !projects->contains(rows[row].project)) continue;
    fields.MoveTo(row);
    if (!source_.query.filter.Matches(fields)) continue;
    if (after.has_value() && Compare(row, *after) <= 0) continue;
    page.rows.push_back(row);
  }
  page.more = page.rows.size() > size;
  const auto end = page.rows.begin() + static_cast<ptrdiff_t>(std::min<size_t>(
                                           size, page.rows.size()));
  std::partial_sort(
      page.rows.begin(), end, page.rows.end(),
      [this](uint32_t a, uint32_t b) { return Compare(a, b) < 0; });
  page.rows.erase(end, page.rows.end());
  return page;
}

SearchPlace RunSearch::PlaceOf(uint32_t index) const {
  const RunIndex::Row& row = source_.index.rows()[index];
  SearchPlace place;
  place.start_ns = row.start_ns;
  place.id = row.id;
  std::string buffer;
  for (const OrderItem& item : source_.query.order) {
    SearchPlace::Value& value = place.values.emplace_back();
    value.value = Get(index, item.field, &buffer);
    value.text = std::string(value.value.text);
    value.value.text = {};
  }
  return place;
}

}  // namespace waterflow::storage
