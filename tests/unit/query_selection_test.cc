// Names of metrics by shape, listings of them, and tokens: what docs/query.md
// promises, and text from an enemy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/query/metric_listing.h"
#include "storage/query/metric_matcher.h"
#include "storage/query/select.h"
#include "storage/query/tail_token.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

bool GlobMatches(const std::string& glob, const std::string& name) {
  const auto matcher = MetricMatcher::Compile({.globs = {glob}, .regexes = {}});
  EXPECT_TRUE(matcher.ok()) << matcher.status();
  return matcher.ok() && matcher->Matches(name);
}

std::string ErrorOf(const MetricPatterns& patterns) {
  const auto matcher = MetricMatcher::Compile(patterns);
  EXPECT_EQ(matcher.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(matcher.status().message());
}

TEST(MetricMatcherTest, AGlobMatchesTheWholeName) {
  EXPECT_TRUE(GlobMatches("grad/*", "grad/layer0/norm"));
  EXPECT_TRUE(GlobMatches("*", "x"));
  EXPECT_TRUE(GlobMatches("**loss", "loss"));
  EXPECT_FALSE(GlobMatches("grad/*", "a/grad/x"));
  EXPECT_TRUE(GlobMatches("l?ss", "l\xc3\xb6ss"));
  EXPECT_FALSE(GlobMatches("l?ss", "lss"));
  EXPECT_TRUE(GlobMatches("layer[0-3]", "layer2"));
  EXPECT_FALSE(GlobMatches("layer[!0-3]", "layer2"));
  EXPECT_TRUE(GlobMatches("layer[!0-3]", "layer7"));
  EXPECT_TRUE(GlobMatches("a[]]", "a]"));
  EXPECT_TRUE(GlobMatches("a[\\^&[]", "a^"));
  // What means something to RE2 stands for itself.
  EXPECT_TRUE(GlobMatches("a.b(c)+{1}|$\\d", "a.b(c)+{1}|$\\d"));
  EXPECT_FALSE(GlobMatches("a.b", "axb"));
  EXPECT_TRUE(GlobMatches("größe", "größe"));
}

TEST(MetricMatcherTest, ARegexMatchesTheWholeName) {
  const auto matcher = MetricMatcher::Compile(
      {.globs = {}, .regexes = {"train/.*", "(?i)LOSS"}});
  ASSERT_TRUE(matcher.ok());
  EXPECT_TRUE(matcher->Matches("train/x"));
  EXPECT_FALSE(matcher->Matches("a/train/x"));
  EXPECT_TRUE(matcher->Matches("loss"));
  EXPECT_FALSE(matcher->Matches("losses"));
}

TEST(MetricMatcherTest, ABadPatternIsNamedWithWhatIsWrongWithIt) {
  EXPECT_EQ(ErrorOf({.globs = {"ok", "a[b"}, .regexes = {}}),
            "metric_globs[1] \"a[b\": the [ at byte 2 is never closed");
  EXPECT_EQ(ErrorOf({.globs = {}, .regexes = {"a(b"}}),
            "metric_regexes[0] \"a(b\": missing ): a(b");
  EXPECT_THAT(ErrorOf({.globs = {""}, .regexes = {}}),
              HasSubstr("metric_globs[0]: is empty"));
  EXPECT_THAT(ErrorOf({.globs = {}, .regexes = {"((a{1000}){1000}){1000}"}}),
              HasSubstr("metric_regexes[0]"));
  EXPECT_THAT(ErrorOf({.globs = {}, .regexes = {"((\\pL{50}){20})"}}),
              HasSubstr("takes more than 262144 bytes when compiled"));
  EXPECT_THAT(ErrorOf({.globs = {}, .regexes = {std::string(1025, 'a')}}),
              HasSubstr("1024"));
  EXPECT_THAT(
      ErrorOf({.globs = std::vector<std::string>(65, "a"), .regexes = {}}),
      HasSubstr("65 given, together at most 64"));
  EXPECT_THAT(ErrorOf({.globs = {"a\xff"}, .regexes = {}}),
              HasSubstr("metric_globs[0]"));
  EXPECT_THAT(ErrorOf({.globs = {"[z-a]"}, .regexes = {}}),
              HasSubstr("invalid character class range"));
}

TEST(FuzzyGapTest, TheShortestStretchCounts) {
  EXPECT_EQ(FuzzyGap("train/loss", "loss"), 0);
  EXPECT_EQ(FuzzyGap("Train/LOSS", "tl"), 5);
  EXPECT_EQ(FuzzyGap("l.o.loss", "loss"), 0);
  EXPECT_EQ(FuzzyGap("loss", "sol"), std::nullopt);
  EXPECT_EQ(FuzzyGap("abc", ""), 0);
}

TEST(FuzzyGapTest, AgreesWithTryingEveryStretch) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const auto word = [&](size_t most) {
    std::string text(1 + random() % most, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string name = word(12);
    const std::string letters = word(4);
    std::optional<uint32_t> naive;
    for (size_t begin = 0; begin < name.size(); ++begin) {
      size_t matched = 0;
      for (size_t at = begin; at < name.size(); ++at) {
        if (name[at] == letters[matched] && ++matched == letters.size()) {
          const auto gap =
              static_cast<uint32_t>(at + 1 - begin - letters.size());
          naive = std::min(naive.value_or(gap), gap);
          break;
        }
      }
    }
    EXPECT_EQ(FuzzyGap(name, letters), naive) << name << " " << letters;
  }
}

// A MetricListSpec of which only some fields are said.
struct Ask {
  std::string prefix = "";
  std::string contains = "";
  std::string fuzzy = "";
  bool tree = false;
  uint32_t page_size = 0;
  std::string page_token = "";

  MetricListSpec Spec() const {
    MetricListSpec spec;
    spec.prefix = prefix;
    spec.contains = contains;
    spec.fuzzy = fuzzy;
    spec.tree = tree;
    spec.page_size = page_size;
    spec.page_token = page_token;
    return spec;
  }
};

// Names of all pages, one after the other.
std::vector<std::string> Listed(const Ask& ask,
                                const std::vector<std::string>& names) {
  MetricListSpec spec = ask.Spec();
  std::vector<std::string> all;
  bool more = true;
  while (more) {
    auto listing = MetricListing::Make(spec);
    EXPECT_TRUE(listing.ok()) << listing.status();
    if (!listing.ok()) break;
    for (uint32_t i = 0; i < names.size(); ++i) {
      listing->Add(MetricId{i}, names[i]);
    }
    for (const auto& entry : listing->TakePage(&more)) {
      all.push_back(entry.folder_metrics == 0
                        ? entry.name
                        : absl::StrCat(entry.name, entry.folder_metrics));
      spec.page_token = listing->TokenBehind(entry);
    }
  }
  return all;
}

const std::vector<std::string>& Names() {
  static const auto* const kNames = new std::vector<std::string>{
      "train/loss", "grad/l0/norm", "loss",           "grad/l1/norm",
      "lr",         "grad/norm",    "train/Lossless", "a/b/c/d"};
  return *kNames;
}

TEST(MetricListingTest, PagesFollowTheOrderOfNames) {
  for (const uint32_t size : {0, 1, 2, 3, 100}) {
    EXPECT_THAT(
        Listed({.page_size = size}, Names()),
        ElementsAre("a/b/c/d", "grad/l0/norm", "grad/l1/norm", "grad/norm",
                    "loss", "lr", "train/Lossless", "train/loss"));
    EXPECT_THAT(Listed({.prefix = "grad/", .page_size = size}, Names()),
                ElementsAre("grad/l0/norm", "grad/l1/norm", "grad/norm"));
    EXPECT_THAT(Listed({.contains = "LOSS", .page_size = size}, Names()),
                ElementsAre("loss", "train/Lossless", "train/loss"));
  }
}

TEST(MetricListingTest, TheBestFuzzyMatchComesFirst) {
  for (const uint32_t size : {0, 1, 2}) {
    EXPECT_THAT(Listed({.fuzzy = "LOSS", .page_size = size}, Names()),
                ElementsAre("loss", "train/loss", "train/Lossless"));
    EXPECT_THAT(Listed({.fuzzy = "gnorm", .page_size = size}, Names()),
                ElementsAre("grad/norm", "grad/l0/norm", "grad/l1/norm"));
  }
}

TEST(MetricListingTest, ATreeShowsWhatIsNextBelowThePrefix) {
  for (const uint32_t size : {0, 1, 2}) {
    EXPECT_THAT(Listed({.tree = true, .page_size = size}, Names()),
                ElementsAre("a/1", "grad/3", "loss", "lr", "train/2"));
    EXPECT_THAT(
        Listed({.prefix = "grad/", .tree = true, .page_size = size}, Names()),
        ElementsAre("grad/l0/1", "grad/l1/1", "grad/norm"));
    // A prefix need not end a segment.
    EXPECT_THAT(
        Listed({.prefix = "gr", .tree = true, .page_size = size}, Names()),
        ElementsAre("grad/3"));
  }
}

TEST(MetricListingTest, WhatComesInBetweenShiftsNoPage) {
  MetricListSpec spec = Ask{.page_size = 2}.Spec();
  auto first = MetricListing::Make(spec);
  ASSERT_TRUE(first.ok());
  first->Add(MetricId{0}, "b");
  first->Add(MetricId{1}, "d");
  first->Add(MetricId{2}, "f");
  bool more = false;
  auto page = first->TakePage(&more);
  ASSERT_TRUE(more);
  spec.page_token = first->TokenBehind(page.back());
  auto second = MetricListing::Make(spec);
  ASSERT_TRUE(second.ok());
  int id = 0;
  for (const char* name : {"b", "d", "f", "a", "c", "e"}) {
    second->Add(MetricId{static_cast<uint32_t>(id++)}, name);
  }
  page = second->TakePage(&more);
  EXPECT_FALSE(more);
  ASSERT_EQ(page.size(), 2);
  EXPECT_EQ(page[0].name, "e");
  EXPECT_EQ(page[1].name, "f");
  EXPECT_EQ(second->total(), 6);
}

TEST(MetricListingTest, BadInputIsInvalidAndNamesTheField) {
  const auto error = [](const Ask& ask) {
    const auto listing = MetricListing::Make(ask.Spec());
    EXPECT_EQ(listing.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(listing.status().message());
  };
  EXPECT_THAT(error({.page_size = 10001}), HasSubstr("page_size 10001"));
  EXPECT_THAT(error({.prefix = std::string(513, 'x')}), HasSubstr("prefix"));
  EXPECT_THAT(error({.fuzzy = std::string(65, 'x')}), HasSubstr("fuzzy"));
  EXPECT_THAT(error({.contains = "a", .fuzzy = "b"}), HasSubstr("fuzzy"));
  EXPECT_THAT(error({.contains = "a", .tree = true}), HasSubstr("tree"));
  EXPECT_THAT(error({.contains = "\xff"}), HasSubstr("contains"));
  EXPECT_THAT(error({.page_token = "12"}), HasSubstr("page_token \"12\""));
  const auto listing = MetricListing::Make(Ask{.prefix = "a"}.Spec());
  ASSERT_TRUE(listing.ok());
  MetricListing::Entry entry;
  entry.name = "ab";
  const std::string token = listing->TokenBehind(entry);
  EXPECT_TRUE(
      MetricListing::Make(Ask{.prefix = "a", .page_token = token}.Spec()).ok());
  EXPECT_THAT(error({.prefix = "b", .page_token = token}),
              HasSubstr("given out for another run, or other names"));
}

TEST(TailTokenTest, SaysAgainWhatItWasMadeOf) {
  const Uuid a = Uuid::Random();
  const Uuid b = Uuid::Random();
  TailCursor::NextRows rows;
  rows[{SchemaId{0}, WorkerId{3}}] = 7;
  rows[{SchemaId{0}, WorkerId{70000}}] = uint64_t{1} << 40;
  rows[{SchemaId{5}, WorkerId{2}}] = 1;
  TailTokenBuilder builder(42);
  builder.Add(a, rows);
  builder.Add(b, {});
  const std::string token = std::move(builder).Build();
  const auto cursors = DecodeTailToken(token, 42);
  ASSERT_TRUE(cursors.ok()) << cursors.status();
  ASSERT_EQ(cursors->size(), 2);
  EXPECT_EQ((*cursors)[0].run, a);
  EXPECT_EQ((*cursors)[0].next_rows, rows);
  EXPECT_EQ((*cursors)[1].run, b);
  EXPECT_TRUE((*cursors)[1].next_rows.empty());

  EXPECT_EQ(DecodeTailToken(token, 43).status().message(),
            "resume_token: was given out for other runs, metrics or workers");
  for (size_t size = 0; size < token.size(); ++size) {
    EXPECT_FALSE(DecodeTailToken(token.substr(0, size), 42).ok()) << size;
  }
  for (size_t i = 0; i < token.size(); ++i) {
    std::string bad = token;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(DecodeTailToken(bad, 42).ok()) << i;
  }
  EXPECT_THAT(
      DecodeTailToken(std::string((1 << 20) + 1, 'x'), 42).status().message(),
      HasSubstr("has 1048577 bytes, at most 1048576"));
}

TEST(WorkerFilterTest, RanksAndRolesBothNarrow) {
  const WorkerFilter filter{.ranks = {{0, 1}, {5, UINT32_MAX}},
                            .roles = {"", "eval"}};
  EXPECT_TRUE(filter.Takes({"", 0}));
  EXPECT_TRUE(filter.Takes({"eval", 7}));
  EXPECT_FALSE(filter.Takes({"", 3}));
  EXPECT_FALSE(filter.Takes({"train", 0}));
  const auto error = [](const WorkerFilter& f) {
    return std::string(CheckSelection(1, std::nullopt, 1, {}, f).message());
  };
  EXPECT_EQ(error({.ranks = {{3, 2}}, .roles = {}}),
            "ranks[0]: first 3 is after last 2");
  EXPECT_THAT(error({.ranks = std::vector<RankRange>(1025), .roles = {}}),
              HasSubstr("ranks: 1025 given"));
  EXPECT_THAT(error({.ranks = {}, .roles = {std::string(129, 'x')}}),
              HasSubstr("roles[0]"));
}

}  // namespace
}  // namespace waterflow::storage
