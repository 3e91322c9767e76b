#include "storage/search/parser.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/search/token.h"

namespace waterflow::storage {
namespace {

// Every method returns false once something was wrong; status() says what.
class Parser {
 public:
  // `fields` are those known so far; new ones are added.
  Parser(absl::string_view text, std::vector<Field>* fields)
      : tokens_(text), fields_(*fields) {}

  absl::Status status() const { return status_; }

  bool ParseFilter(Filter* filter) {
    if (!Advance()) return false;
    if (token_.kind == Token::Kind::kEnd) return true;
    uint32_t root = 0;
    if (!Or(&root)) return false;
    if (token_.kind != Token::Kind::kEnd) {
      return Expected("AND, OR or the end");
    }
    *filter = Filter(std::move(nodes_), std::move(comparisons_), root);
    return true;
  }

  bool ParseOrder(std::vector<OrderItem>* order) {
    if (!Advance()) return false;
    while (true) {
      const size_t at = token_.at;
      OrderItem item;
      if (!FieldName(&item.field)) return false;
      const bool twice = std::any_of(
          order->begin(), order->end(),
          [&](const OrderItem& o) { return o.field == item.field; });
      if (twice) {
        return Fail(at, absl::StrCat(ToString(fields_[item.field]),
                                     " is ordered by already"));
      }
      if (order->size() == kMaxOrderBy) {
        return Fail(at, absl::StrCat("more than ", kMaxOrderBy, " fields"));
      }
      item.descending = token_.IsWord("desc");
      if ((item.descending || token_.IsWord("asc")) && !Advance()) return false;
      order->push_back(item);
      if (token_.kind == Token::Kind::kEnd) return true;
      if (!token_.Is(",")) return Expected("ASC, DESC, \",\" or the end");
      if (!Advance()) return false;
    }
  }

  // One field and nothing behind it.
  bool ParseColumn() {
    column_ = true;
    uint32_t index = 0;
    if (!Advance() || !FieldName(&index)) return false;
    return token_.kind == Token::Kind::kEnd || Expected("the end");
  }

 private:
  bool Fail(size_t at, absl::string_view message) {
    status_ = tokens_.ErrorAt(at, message);
    return false;
  }
  bool Expected(absl::string_view what) {
    return Fail(token_.at,
                absl::StrCat("expected ", what, ", found ", token_.Found()));
  }

  bool Advance() {
    absl::StatusOr<Token> next = tokens_.Next();
    if (!next.ok()) {
      status_ = next.status();
      return false;
    }
    token_ = *std::move(next);
    return true;
  }

  // or := and { OR and }
  bool Or(uint32_t* node) {
    return List("or", FilterNode::Kind::kOr, &Parser::And, node);
  }
  // and := factor { AND factor }
  bool And(uint32_t* node) {
    return List("and", FilterNode::Kind::kAnd, &Parser::Factor, node);
  }

  bool List(absl::string_view keyword, FilterNode::Kind kind,
            bool (Parser::*part)(uint32_t*), uint32_t* node) {
    FilterNode list{.kind = kind, .parts = {}};
    while (true) {
      if (!(this->*part)(&list.parts.emplace_back())) return false;
      if (!token_.IsWord(keyword)) break;
      if (!Advance()) return false;
    }
    *node = list.parts.size() == 1 ? list.parts[0] : AddNode(std::move(list));
    return true;
  }

  // factor := NOT factor | "(" or ")" | comparison
  bool Factor(uint32_t* node) {
    const bool negated = token_.IsWord("not");
    if (!negated && !token_.Is("(")) return ParseComparison(node);
    if (depth_ == kMaxFilterDepth) {
      return Fail(token_.at,
                  absl::StrCat("nested more than ", kMaxFilterDepth, " deep"));
    }
    ++depth_;
    if (!Advance()) return false;
    if (negated) {
      FilterNode inverse{.kind = FilterNode::Kind::kNot, .parts = {0}};
      if (!Factor(&inverse.parts[0])) return false;
      *node = AddNode(std::move(inverse));
    } else {
      if (!Or(node)) return false;
      if (!token_.Is(")")) return Expected("AND, OR or \")\"");
      if (!Advance()) return false;
    }
    --depth_;
    return true;
  }

  // comparison := field comparator
  bool ParseComparison(uint32_t* node) {
    if (comparisons_.size() == kMaxFilterComparisons) {
      return Fail(token_.at, absl::StrCat("more than ", kMaxFilterComparisons,
                                          " comparisons"));
    }
    Comparison comparison;
    if (!FieldName(&comparison.field)) return false;
    const Field& field = fields_[comparison.field];
    const bool ok = TypeOf(field) == FieldType::kText
                        ? TextComparator(field, &comparison)
                        : NumberComparator(field, &comparison);
    if (!ok) return false;
    *node = AddNode({.kind = FilterNode::Kind::kComparison,
                     .comparison = static_cast<uint32_t>(comparisons_.size()),
                     .parts = {}});
    comparisons_.push_back(std::move(comparison));
    return true;
  }

  // field := entity "." key | attribute | function. A key behind the dot, and
  // an attribute, may be quoted.
  bool FieldName(uint32_t* index) {
    const size_t at = token_.at;
    absl::string_view word = token_.raw;
    std::optional<Field> field;
    if (token_.kind == Token::Kind::kWord) {
      const size_t dot = word.find('.');
      if (dot == absl::string_view::npos) {
        if (const auto statistic = FindStatistic(word); statistic.has_value()) {
          return Function(at, *statistic, index);
        }
        field = FindAttribute(word);
        if (!field.has_value()) return UnknownField(at, word);
        if (!Advance()) return false;
        return AddField(at, *std::move(field), index);
      }
      const std::optional<Entity> entity = FindEntity(word.substr(0, dot));
      if (!entity.has_value()) {
        return Fail(at,
                    absl::StrCat("unknown entity ", Quoted(word.substr(0, dot)),
                                 ", known: ", EntityNames()));
      }
      std::string key;
      size_t key_at = 0;
      if (!KeyBehind(dot, &key, &key_at)) return false;
      if (*entity == Entity::kAttribute) {
        field = FindAttribute(key);
        if (!field.has_value()) return UnknownField(key_at, key);
      } else {
        field = Field{.entity = *entity, .key = std::move(key)};
      }
      return AddField(key_at, *std::move(field), index);
    }
    if (token_.kind == Token::Kind::kBackquoted ||
        token_.kind == Token::Kind::kDoubleQuoted) {
      field = FindAttribute(token_.text);
      if (!field.has_value()) return UnknownField(at, token_.text);
      if (!Advance()) return false;
      return AddField(at, *std::move(field), index);
    }
    return Expected("a field such as metrics.loss");
  }

  // The key of the word that has a dot there.
  bool KeyBehind(size_t dot, std::string* key, size_t* key_at) {
    *key = std::string(token_.raw.substr(dot + 1));
    *key_at = token_.at + dot + 1;
    if (key->empty()) {
      const size_t end = token_.end();
      if (!Advance()) return false;
      const bool quoted = token_.kind == Token::Kind::kBackquoted ||
                          token_.kind == Token::Kind::kDoubleQuoted;
      if (!quoted || token_.at != end) {
        return Fail(end, "expected a key behind the dot");
      }
      *key_at = token_.at;
      *key = token_.text;
    }
    return Advance();
  }

  // function := statistic "(" metric [ "," reduction ] ")"
  //           | "at_best" "(" metric "," metric [ "," reduction ] ")"
  bool Function(size_t at, Statistic statistic, uint32_t* index) {
    if (statistic == Statistic::kAtBest && !column_) {
      return Fail(at, "at_best() is for columns of a table only");
    }
    Field field{.entity = Entity::kMetric, .key = {}, .statistic = statistic};
    if (!Advance()) return false;
    if (!token_.Is("(")) return Expected("\"(\"");
    if (!Advance() || !MetricName(&field.key)) return false;
    if (statistic == Statistic::kAtBest) {
      if (!token_.Is(",")) return Expected("\",\" and the metric that is best");
      if (!Advance() || !MetricName(&field.best_of)) return false;
    }
    if (token_.Is(",")) {
      if (!Advance()) return false;
      const auto reduction = FindReduction(token_.raw);
      if (!reduction.has_value()) return Expected(ReductionNames());
      field.reduction = *reduction;
      if (!Advance()) return false;
    }
    if (!token_.Is(")")) return Expected("\",\" or \")\"");
    return Advance() && AddField(at, std::move(field), index);
  }

  bool MetricName(std::string* key) {
    const size_t dot = token_.raw.find('.');
    if (token_.kind != Token::Kind::kWord || dot == absl::string_view::npos ||
        FindEntity(token_.raw.substr(0, dot)) != Entity::kMetric) {
      return Expected("a metric such as metrics.loss");
    }
    size_t at = 0;
    if (!KeyBehind(dot, key, &at)) return false;
    absl::Status s = CheckName("key", *key, 1, kMaxMetricNameBytes);
    return s.ok() || Fail(at, s.message());
  }

  bool UnknownField(size_t at, absl::string_view name) {
    return Fail(at, absl::StrCat("unknown attribute ", Quoted(name),
                                 ", known: ", AttributeNames(),
                                 "; metrics, params and tags are written "
                                 "metrics.KEY, params.KEY, tags.KEY"));
  }

  bool AddField(size_t at, Field field, uint32_t* index) {
    if (field.entity != Entity::kAttribute) {
      const size_t most = field.entity == Entity::kMetric ? kMaxMetricNameBytes
                                                          : kMaxTagKeyBytes;
      if (absl::Status s = CheckName("key", field.key, 1, most); !s.ok()) {
        return Fail(at, s.message());
      }
    }
    const auto known = std::find(fields_.begin(), fields_.end(), field);
    *index = static_cast<uint32_t>(known - fields_.begin());
    if (known != fields_.end()) return true;
    if (fields_.size() == kMaxSearchFields) {
      return Fail(at, absl::StrCat("more than ", kMaxSearchFields, " fields"));
    }
    fields_.push_back(std::move(field));
    return true;
  }

  // text comparator := ( "=" | "!=" | LIKE | ILIKE ) text
  //                  | [ NOT ] IN "(" text { "," text } ")" | null
  bool TextComparator(const Field& field, Comparison* comparison) {
    if (token_.IsWord("is")) return Null(comparison);
    const bool negated = token_.IsWord("not");
    if (negated && !Advance()) return false;
    if (token_.IsWord("in")) {
      comparison->comparator = negated ? Comparator::kNotIn : Comparator::kIn;
      return Advance() && Texts(comparison);
    }
    if (negated) return Expected("IN");
    if (token_.Is("=")) {
      comparison->comparator = Comparator::kEqual;
    } else if (token_.Is("!=")) {
      comparison->comparator = Comparator::kNotEqual;
    } else if (token_.IsWord("like")) {
      comparison->comparator = Comparator::kLike;
    } else if (token_.IsWord("ilike")) {
      comparison->comparator = Comparator::kILike;
    } else {
      return Expected(absl::StrCat(
          "=, !=, LIKE, ILIKE, IN, NOT IN or IS behind ", ToString(field)));
    }
    const bool pattern = token_.kind == Token::Kind::kWord;
    if (!Advance()) return false;
    if (pattern && token_.text.size() > kMaxLikePatternBytes) {
      return Fail(token_.at,
                  absl::StrCat("a pattern of ", token_.text.size(),
                               " bytes, at most ", kMaxLikePatternBytes));
    }
    return Text(comparison);
  }

  bool Text(Comparison* comparison) {
    if (token_.kind != Token::Kind::kSingleQuoted &&
        token_.kind != Token::Kind::kDoubleQuoted) {
      return Expected("a quoted text such as 'adam'");
    }
    comparison->texts.push_back(std::move(token_.text));
    return Advance();
  }

  bool Texts(Comparison* comparison) {
    if (!token_.Is("(")) return Expected("\"(\"");
    do {
      if (!Advance() || !Text(comparison)) return false;
    } while (token_.Is(","));
    if (!token_.Is(")")) return Expected("\",\" or \")\"");
    std::sort(comparison->texts.begin(), comparison->texts.end());
    return Advance();
  }

  // number comparator := ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) number | null
  bool NumberComparator(const Field& field, Comparison* comparison) {
    constexpr std::pair<absl::string_view, Comparator> kComparators[] = {
        {"=", Comparator::kEqual},   {"!=", Comparator::kNotEqual},
        {"<", Comparator::kLess},    {"<=", Comparator::kLessOrEqual},
        {">", Comparator::kGreater}, {">=", Comparator::kGreaterOrEqual}};
    if (token_.IsWord("is")) return Null(comparison);
    const auto* const found =
        std::find_if(std::begin(kComparators), std::end(kComparators),
                     [&](const auto& c) { return token_.Is(c.first); });
    if (found == std::end(kComparators)) {
      return Expected(
          absl::StrCat("=, !=, <, <=, >, >= or IS behind ", ToString(field)));
    }
    comparison->comparator = found->second;
    if (!Advance()) return false;
    // A NaN would match nothing, or everything: most likely a mistake.
    if (token_.kind != Token::Kind::kNumber) {
      return Expected("a number such as 0.3");
    }
    if (!absl::SimpleAtod(absl::StripPrefix(token_.raw, "+"),
                          &comparison->number) ||
        !std::isfinite(comparison->number)) {
      return Fail(token_.at,
                  absl::StrCat("no double is as large as ", token_.Found()));
    }
    return Advance();
  }

  // null := IS [ NOT ] NULL
  bool Null(Comparison* comparison) {
    if (!Advance()) return false;
    const bool negated = token_.IsWord("not");
    if (negated && !Advance()) return false;
    if (!token_.IsWord("null")) {
      return Expected(negated ? "NULL" : "NULL or NOT NULL");
    }
    comparison->comparator =
        negated ? Comparator::kIsNotNull : Comparator::kIsNull;
    return Advance();
  }

  uint32_t AddNode(FilterNode node) {
    nodes_.push_back(std::move(node));
    return static_cast<uint32_t>(nodes_.size() - 1);
  }

  Tokenizer tokens_;
  std::vector<Field>& fields_;
  Token token_;
  absl::Status status_;
  std::vector<FilterNode> nodes_;
  std::vector<Comparison> comparisons_;
  uint32_t depth_ = 0;
  bool column_ = false;  // a column is parsed
};

absl::Status Within(absl::string_view what, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(what, ": ", status.message()));
}

absl::Status CheckText(absl::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", text.size(), " bytes, at most ", kMaxFilterBytes));
  }
  if (!IsUtf8(text)) return absl::InvalidArgumentError("is not UTF-8");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SearchQuery> ParseSearch(
    absl::string_view filter, absl::Span<const std::string> order_by) {
  SearchQuery query;
  if (absl::Status s = CheckText(filter); !s.ok()) return Within("filter", s);
  Parser parser(filter, &query.fields);
  if (!parser.ParseFilter(&query.filter)) {
    return Within("filter", parser.status());
  }
  if (order_by.size() > kMaxOrderBy) {
    return absl::InvalidArgumentError(absl::StrCat(
        "order_by: has ", order_by.size(), " fields, at most ", kMaxOrderBy));
  }
  for (size_t i = 0; i < order_by.size(); ++i) {
    absl::Status status = CheckText(order_by[i]);
    if (status.ok()) {
      Parser of_order(order_by[i], &query.fields);
      of_order.ParseOrder(&query.order);
      status = of_order.status();
    }
    if (!status.ok()) return Within(absl::StrCat("order_by[", i, "]"), status);
  }
  return query;
}

absl::StatusOr<Field> ParseColumn(absl::string_view column) {
  if (absl::Status s = CheckText(column); !s.ok()) return s;
  std::vector<Field> fields;
  Parser parser(column, &fields);
  if (!parser.ParseColumn()) return parser.status();
  return std::move(fields[0]);
}

}  // namespace waterflow::storage
