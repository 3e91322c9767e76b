#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "storage/model/limits.h"
#include "storage/search/parser.h"
#include "tests/fuzz/entries.h"

namespace waterflow::fuzz {
namespace {

// A run whose every field holds one value.
class OneValue : public storage::RunFields {
 public:
  explicit OneValue(const std::vector<storage::Field>& fields)
      : fields_(fields) {}
  storage::FieldValue Get(uint32_t field) const override {
    switch (storage::TypeOf(fields_.at(field))) {
      case storage::FieldType::kNumber:
        return storage::FieldValue::Number(0.5);
      case storage::FieldType::kTime:
        return storage::FieldValue::Time(-1);
      case storage::FieldType::kText:
        return storage::FieldValue::Text("größe");
    }
    return {};
  }

 private:
  const std::vector<storage::Field>& fields_;
};

}  // namespace

int Search(const uint8_t* input, size_t size) {
  const std::string text(reinterpret_cast<const char*>(input), size);
  const auto query = storage::ParseSearch(text, {});
  if (query.ok()) {
    if (query->fields.size() > storage::kMaxSearchFields) std::abort();
    query->filter.Matches(OneValue(query->fields));
  } else if (!absl::StartsWith(query.status().message(), "filter: ")) {
    std::abort();
  }
  const auto order = storage::ParseSearch("", {text});
  if (order.ok() && order->order.empty()) std::abort();
  return 0;
}

}  // namespace waterflow::fuzz
