// The language of searches: what docs/search.md promises, and text from an
// enemy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/model/limits.h"
#include "storage/search/like.h"
#include "storage/search/parser.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// A run by the names of its fields.
class NamedFields : public RunFields {
 public:
  using Values = std::map<std::string, FieldValue>;
  NamedFields(const std::vector<Field>& fields, const Values& values)
      : fields_(fields), values_(values) {}
  FieldValue Get(uint32_t field) const override {
    const auto it = values_.find(ToString(fields_[field]));
    return it == values_.end() ? FieldValue() : it->second;
  }

 private:
  const std::vector<Field>& fields_;
  const Values& values_;
};

const NamedFields::Values& Sample() {
  static const auto* const kRun = new NamedFields::Values{
      {"run_id", FieldValue::Text("00000000000000000000000000000001")},
      {"name", FieldValue::Text("lm_base")},
      {"status", FieldValue::Text("FINISHED")},
      {"project", FieldValue::Text("lm")},
      {"start_time", FieldValue::Time(1'700'000'000'000'999'999)},
      {"metrics.`loss`", FieldValue::Number(0.25)},
      {"metrics.`val/loss`", FieldValue::Number(0.5)},
      {"metrics.`gpu 0`", FieldValue::Number(-3)},
      {"metrics.`diverged`", FieldValue::Number(kNan)},
      {"metrics.`inf`", FieldValue::Number(kInf)},
      {"params.`lr`", FieldValue::Text("1e-4")},
      {"params.`note`", FieldValue::Text("it's \\ \"so\"")},
      {"params.`empty`", FieldValue::Text("")},
      {"tags.`team`", FieldValue::Text("Alpha")},
      {"tags.`mlflow.user`", FieldValue::Text("me")},
      {"tags.`größe`", FieldValue::Text("groß")},
  };
  return *kRun;
}

absl::Status ErrorOf(const std::string& filter) {
  return ParseSearch(filter, {}).status();
}

bool Matches(const std::string& filter) {
  const absl::StatusOr<SearchQuery> query = ParseSearch(filter, {});
  EXPECT_TRUE(query.ok()) << filter << ": " << query.status();
  return query.ok() &&
         query->filter.Matches(NamedFields(query->fields, Sample()));
}

TEST(SearchLanguageTest, ComparisonsOfNumbers) {
  for (const char* filter :
       {"metrics.loss < 0.3", "metrics.loss <= .25", "metrics.loss = 25e-2",
        "metric.loss != 1", "metrics.loss>=0.25", "metrics.loss > -1",
        "metrics.`val/loss` = 0.5", "metrics.val/loss = +0.5",
        "metrics.\"gpu 0\" < -2", "metrics.inf > 1e300",
        "metrics.loss IS NOT NULL", "metrics.other is null"}) {
    EXPECT_TRUE(Matches(filter)) << filter;
  }
  for (const char* filter : {"metrics.loss < 0.25", "metrics.loss != 0.25",
                             "metrics.other != 1", "metrics.loss IS NULL"}) {
    EXPECT_FALSE(Matches(filter)) << filter;
  }
}

TEST(SearchLanguageTest, NanMatchesOnlyNotEqual) {
  EXPECT_TRUE(Matches("metrics.diverged != 1"));
  EXPECT_TRUE(Matches("metrics.diverged IS NOT NULL"));
  for (const char* comparator : {"=", "<", "<=", ">", ">="}) {
    EXPECT_FALSE(Matches(absl::StrCat("metrics.diverged ", comparator, " 1")));
  }
}

TEST(SearchLanguageTest, ComparisonsOfText) {
  for (const char* filter : {"params.lr = '1e-4'",
                             "param.lr = \"1e-4\"",
                             "parameters.lr != 'x'",
                             "tags.team LIKE 'Al%'",
                             "tag.team ILIKE 'a%'",
                             "tags.`team` ilike '_LPHA'",
                             "params.lr IN ('x', '1e-4')",
                             "params.lr not in ('x','y')",
                             "params.note = 'it''s \\ \"so\"'",
                             "params.note = \"it's \\ \"\"so\"\"\"",
                             "params.empty = ''",
                             "params.empty LIKE '%'",
                             "params.x IS NULL",
                             "tags.größe like 'gro_'",
                             "attributes.name = 'lm_base'",
                             "attr.run_name = 'lm_base'",
                             "`Run name` = 'lm_base'",
                             "run.`run name` = 'lm_base'",
                             "status = 'FINISHED'",
                             "attribute.project = 'lm'",
                             "user_id = 'me'",
                             "run_id LIKE '%01'"}) {
    EXPECT_TRUE(Matches(filter)) << filter;
  }
  for (const char* filter :
       {"tags.team LIKE 'a%'", "tags.team = 'alpha'", "params.empty LIKE '_'",
        "params.x != 'y'", "params.x NOT IN ('y')", "tags.größe like 'gro__'",
        "params.lr IN ('x')"}) {
    EXPECT_FALSE(Matches(filter)) << filter;
  }
}

TEST(SearchLanguageTest, TimesAreMillisecondsRoundedDown) {
  EXPECT_TRUE(Matches("start_time = 1700000000000"));
  EXPECT_TRUE(Matches("created <= 1700000000000"));
  EXPECT_FALSE(Matches("start_time > 1700000000000"));
  EXPECT_TRUE(Matches("start_time < 1700000000000.5"));
  EXPECT_TRUE(Matches("end_time IS NULL"));
  EXPECT_FALSE(Matches("end_time < 1e18"));
}

TEST(SearchLanguageTest, NotBindsCloserThanAndThanOr) {
  // t = true, f = false, u = unknown.
  const auto with = [](std::string expression) {
    std::string filter;
    for (const char c : expression) {
      if (c == 't') filter += "metrics.loss > 0";
      if (c == 'f') filter += "metrics.loss < 0";
      if (c == 'u') filter += "metrics.other < 0";
      if (c == '&') filter += " AND ";
      if (c == '|') filter += " or ";
      if (c == '!') filter += "Not ";
      if (c == '(' || c == ')') filter += c;
    }
    return Matches(filter);
  };
  for (const char* expression : {"t", "t&t", "t|f&f", "f&f|t", "!f&t", "!(f|f)",
                                 "!!t", "t|u", "u|t", "((t))", "!(f&u)"}) {
    EXPECT_TRUE(with(expression)) << expression;
  }
  for (const char* expression : {"f", "u", "!u", "!!u", "t&u", "u|f", "(t|f)&f",
                                 "!t|f", "!f&f", "!(t&u)"}) {
    EXPECT_FALSE(with(expression)) << expression;
  }
}

TEST(SearchLanguageTest, NothingAndBlanksMatchEveryRun) {
  EXPECT_TRUE(Matches(""));
  EXPECT_TRUE(Matches(" \n\t"));
}

TEST(SearchLanguageTest, LikeGoesBackToTheLastPercentOnly) {
  EXPECT_TRUE(Like("abcabcabd", "%abd", LikeCase::kSensitive));
  EXPECT_TRUE(Like("abc", "%%%", LikeCase::kSensitive));
  EXPECT_TRUE(Like("", "", LikeCase::kSensitive));
  EXPECT_FALSE(Like("a", "", LikeCase::kSensitive));
  EXPECT_FALSE(Like("abc", "a%d", LikeCase::kSensitive));
  EXPECT_TRUE(Like("aXbYc", "a%b%c", LikeCase::kSensitive));
  EXPECT_TRUE(Like("äöü", "___", LikeCase::kSensitive));
  EXPECT_TRUE(Like("100%", "100%", LikeCase::kSensitive));
  // Many percents do not take exponential time.
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "%a";
  EXPECT_FALSE(Like(std::string(2000, 'a'), pattern + "b", LikeCase::kIgnored));
}

TEST(SearchLanguageTest, OrdersAreListsOfFields) {
  const auto query = ParseSearch(
      "metrics.a > 1",
      {"metrics.`val/loss` DESC, start_time", "params.lr asc", "metrics.a"});
  ASSERT_TRUE(query.ok()) << query.status();
  std::vector<std::string> order;
  for (const OrderItem& item : query->order) {
    order.push_back(absl::StrCat(ToString(query->fields[item.field]),
                                 item.descending ? " down" : " up"));
  }
  EXPECT_EQ(absl::StrJoin(order, "; "),
            "metrics.`val/loss` down; start_time up; params.`lr` up; "
            "metrics.`a` up");
  EXPECT_EQ(query->fields.size(), 4u);
}

TEST(SearchLanguageTest, FaultsOfAnOrderNameTextAndColumn) {
  const auto error = [](std::vector<std::string> order) {
    return std::string(ParseSearch("", order).status().message());
  };
  EXPECT_EQ(error({"metrics.a", "metrics.b upwards"}),
            "order_by[1]: column 11: expected ASC, DESC, \",\" or the end, "
            "found \"upwards\"");
  EXPECT_THAT(error({"metrics.a", "name, metrics.`a`"}),
              HasSubstr("order_by[1]: column 7: metrics.`a` is ordered by"));
  EXPECT_THAT(error({""}), HasSubstr("expected a field"));
  EXPECT_THAT(error(std::vector<std::string>(kMaxOrderBy + 1, "name")),
              HasSubstr("at most 16"));
}

TEST(SearchLanguageTest, InAnyDirectionNanStandsBehindNumbersAndMissingLast) {
  const std::vector<FieldValue> up = {
      FieldValue::Number(-kInf), FieldValue::Number(1),
      FieldValue::Number(kInf), FieldValue::Number(kNan), FieldValue()};
  const std::vector<FieldValue> down = {
      FieldValue::Number(kInf), FieldValue::Number(1),
      FieldValue::Number(-kInf), FieldValue::Number(kNan), FieldValue()};
  for (size_t i = 0; i < up.size(); ++i) {
    for (size_t j = 0; j < up.size(); ++j) {
      EXPECT_EQ(CompareInOrder(up[i], up[j], false), i <=> j);
      EXPECT_EQ(CompareInOrder(down[i], down[j], true), i <=> j);
    }
  }
  EXPECT_EQ(
      CompareInOrder(FieldValue::Number(-0.0), FieldValue::Number(0.0), false),
      std::strong_ordering::equal);
  EXPECT_EQ(
      CompareInOrder(FieldValue::Text("10"), FieldValue::Text("9"), false),
      std::strong_ordering::less);
}

// ---- from an enemy ----

TEST(SearchLanguageTest, NumbersThatAreNoneAreRefused) {
  for (const char* number : {"nan", "NaN", "inf", "-inf", "1e999", "-1e999",
                             "0x10", "1e", "1.2.3", "--1", ".", "'1'", ""}) {
    const absl::Status status =
        ErrorOf(absl::StrCat("metrics.loss < ", number));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << number;
    EXPECT_THAT(std::string(status.message()), HasSubstr("filter: column 1"))
        << number;
  }
}

TEST(SearchLanguageTest, AFilterOfAMegabyteIsRefusedUnread) {
  EXPECT_EQ(ErrorOf(std::string(1 << 20, '(')).message(),
            "filter: has 1048576 bytes, at most 65536");
}

TEST(SearchLanguageTest, NestingHasAnEnd) {
  const auto nested = [](const std::string& open, int depth,
                         const std::string& close) {
    std::string filter;
    for (int i = 0; i < depth; ++i) filter += open;
    filter += "metrics.loss > 0";
    for (int i = 0; i < depth; ++i) filter += close;
    return filter;
  };
  EXPECT_TRUE(Matches(nested("(", kMaxFilterDepth, ")")));
  EXPECT_TRUE(Matches(nested("not ", kMaxFilterDepth, "")));
  EXPECT_EQ(ErrorOf(nested("(", kMaxFilterDepth + 1, ")")).message(),
            "filter: column 101: nested more than 100 deep");
  EXPECT_THAT(std::string(ErrorOf(nested("(", 10000, ")")).message()),
              HasSubstr("nested more than 100 deep"));
  EXPECT_THAT(std::string(ErrorOf(nested("not ", 10000, "")).message()),
              HasSubstr("nested more than 100 deep"));
  // One behind the other is no depth.
  std::string filter = "(metrics.loss > 0)";
  for (int i = 0; i < 200; ++i) filter += " and (metrics.loss > 0)";
  EXPECT_TRUE(Matches(filter));
}

TEST(SearchLanguageTest, ComparisonsFieldsKeysAndPatternsAreCounted) {
  std::string filter = "metrics.a > 0";
  for (uint32_t i = 1; i < kMaxFilterComparisons; ++i) {
    filter += " or metrics.a > 0";
  }
  EXPECT_TRUE(ErrorOf(filter).ok());
  EXPECT_THAT(std::string(ErrorOf(filter + " or metrics.a > 0").message()),
              HasSubstr("more than 256 comparisons"));
  filter = "metrics.a > 0";
  for (size_t i = 0; i < kMaxSearchFields; ++i) {
    absl::StrAppend(&filter, " or metrics.m", i, " > 0");
  }
  EXPECT_THAT(std::string(ErrorOf(filter).message()),
              HasSubstr("more than 64 fields"));
  EXPECT_THAT(std::string(ErrorOf(absl::StrCat("tags.", std::string(257, 'k'),
                                               " = 'x'"))
                              .message()),
              HasSubstr("at most 256"));
  EXPECT_THAT(std::string(ErrorOf("params.`` = 'x'").message()),
              HasSubstr("key"));
  EXPECT_THAT(std::string(ErrorOf(absl::StrCat("tags.a LIKE '",
                                               std::string(1025, '%'), "'"))
                              .message()),
              HasSubstr("a pattern of 1025 bytes, at most 1024"));
}

TEST(SearchLanguageTest, TextThatIsNoUtf8IsRefused) {
  EXPECT_EQ(ErrorOf("tags.a = '\xff'").message(), "filter: is not UTF-8");
  EXPECT_FALSE(ErrorOf(std::string("tags.a = 'x'\0", 13)).ok());
}

TEST(SearchLanguageTest, ColumnsCountCharacters) {
  EXPECT_THAT(std::string(ErrorOf("tags.größe = größe").message()),
              HasSubstr("column 14:"));
}

// ---- docs/search.md ----

// Lines of all blocks of one kind.
std::vector<std::string> Examples(const std::string& kind) {
  std::ifstream file(WATERFLOW_SEARCH_DOC);
  EXPECT_TRUE(file.good()) << WATERFLOW_SEARCH_DOC;
  std::vector<std::string> lines;
  std::string block;
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "```")) {
      block = block.empty() ? line.substr(3) + " " : "";
    } else if (block == kind + " ") {
      lines.push_back(line);
    }
  }
  EXPECT_FALSE(lines.empty()) << kind;
  return lines;
}

TEST(SearchDocTest, ExamplesOfFiltersAndOrdersAreUnderstood) {
  for (const std::string& filter : Examples("filter")) {
    EXPECT_TRUE(ErrorOf(filter).ok()) << filter << ": " << ErrorOf(filter);
  }
  for (const std::string& order : Examples("order")) {
    const auto query = ParseSearch("", {order});
    EXPECT_TRUE(query.ok()) << order << ": " << query.status();
  }
}

TEST(SearchDocTest, ExamplesOfErrorsAreWhatIsSaid) {
  const std::vector<std::string> lines = Examples("error");
  for (size_t i = 0; i + 1 < lines.size(); i += 2) {
    EXPECT_EQ(ErrorOf(lines[i]).message(), lines[i + 1]) << lines[i];
  }
}

}  // namespace
}  // namespace waterflow::storage
