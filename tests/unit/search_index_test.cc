// The run index alone: which columns stay, whose values they hold, and what is
// found in it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/search/run_index.h"
#include "storage/search/run_search.h"

namespace waterflow::storage {
namespace {

RunState MakeRun(uint32_t id, const std::string& param) {
  RunState run;
  run.id = RunId{id};
  run.value.name = "run";
  run.value.params = {{"p", param}};
  return run;
}

std::vector<Field> Metric(const std::string& key) {
  return {{.entity = Entity::kMetric, .key = key}};
}

size_t UnreadOf(RunIndex& index, const std::string& metric) {
  std::vector<Field> made;
  return index.UnreadValues(index.ColumnsOf(Metric(metric), &made), nullptr)
      .size();
}

// Reads the value of every run that has none.
void Read(RunIndex& index, const std::string& metric) {
  std::vector<Field> made;
  const auto columns = index.ColumnsOf(Metric(metric), &made);
  for (const auto& unread : index.UnreadValues(columns, nullptr)) {
    index.SetValue(unread, columns[0].metric.get(), 1);
  }
}

TEST(RunIndexTest, OfTooManyColumnsThoseOfTheLastSearchStay) {
  RunIndex index(/*limit_bytes=*/0);
  for (uint32_t i = 1; i <= 10; ++i) index.Put(MakeRun(i, "x"));
  Read(index, "a");
  index.Trim();
  EXPECT_EQ(UnreadOf(index, "a"), 0u);
  Read(index, "b");
  index.Trim();
  EXPECT_EQ(UnreadOf(index, "b"), 0u);
  EXPECT_EQ(UnreadOf(index, "a"), 10u);
}

TEST(RunIndexTest, AColumnThatSomebodyHoldsStays) {
  RunIndex index(/*limit_bytes=*/0);
  index.Put(MakeRun(1, "x"));
  std::vector<Field> made;
  const auto held = index.ColumnsOf(Metric("a"), &made);
  Read(index, "a");
  Read(index, "b");
  index.Trim();
  EXPECT_EQ(UnreadOf(index, "a"), 0u);
}

TEST(RunIndexTest, AValueIsReadAgainWhenItsRunChangedAndOnlyThen) {
  RunIndex index(1 << 20);
  index.Put(MakeRun(1, "x"));
  index.Put(MakeRun(2, "x"));
  Read(index, "a");
  index.Put(MakeRun(1, "y"));
  EXPECT_EQ(UnreadOf(index, "a"), 0u);
  index.ValuesChanged(RunId{2});
  EXPECT_EQ(UnreadOf(index, "a"), 1u);
}

TEST(RunIndexTest, ARowOfADeletedRunHoldsNothingOfItForTheNext) {
  RunIndex index(1 << 20);
  index.Put(MakeRun(1, "x"));
  Read(index, "a");
  std::vector<Field> made;
  const std::vector<Field> param = {{.entity = Entity::kParam, .key = "p"}};
  const auto columns = index.ColumnsOf(param, &made);
  ASSERT_EQ(made, param);
  index.Fill(MakeRun(1, "x"), made);
  EXPECT_EQ(columns[0].text->Get(0).text, "x");

  // A value that was read for it comes too late.
  made.clear();
  const auto metric = index.ColumnsOf(Metric("a"), &made);
  index.ValuesChanged(RunId{1});
  const auto unread = index.UnreadValues(metric, nullptr);
  ASSERT_EQ(unread.size(), 1u);
  index.Erase(RunId{1});
  RunState next = MakeRun(2, "x");
  next.value.params.clear();
  index.Put(next);
  ASSERT_EQ(index.rows().size(), 1u);
  index.SetValue(unread[0], metric[0].metric.get(), 7);
  EXPECT_TRUE(metric[0].metric->Get(0).missing());
  EXPECT_TRUE(columns[0].text->Get(0).missing());
  EXPECT_EQ(UnreadOf(index, "a"), 1u);
}

TEST(RunIndexTest, AColumnOfTextsThatNobodyHoldsAnyMoreIsMadeAnew) {
  RunIndex index(1 << 20);
  std::vector<Field> made;
  const std::vector<Field> param = {{.entity = Entity::kParam, .key = "p"}};
  index.Put(MakeRun(1, "x"));
  index.ColumnsOf(param, &made);
  for (int i = 0; i < 5000; ++i) index.Put(MakeRun(1, std::to_string(i)));
  const size_t before = index.bytes();
  made.clear();
  index.ColumnsOf(param, &made);
  EXPECT_EQ(made, param);
  EXPECT_LT(index.bytes(), before / 2);
}

TEST(RunSearchTest, ASilentRunIsFoundAndOrderedAsLost) {
  RunIndex index(1 << 20);
  index.Put(MakeRun(1, "x"));
  index.Put(MakeRun(2, "x"));
  RunState done = MakeRun(3, "x");
  done.value.status = RunStatus::kFinished;
  index.Put(done);
  const auto found = [&](const std::string& filter,
                         const std::vector<std::string>& order) {
    const auto query = ParseSearch(filter, order);
    EXPECT_TRUE(query.ok()) << query.status();
    std::vector<Field> made;
    const auto columns = index.ColumnsOf(query->fields, &made);
    const RunSearch::Source source{.index = index,
                                   .query = *query,
                                   .columns = columns,
                                   .project_names = {},
                                   .lost_rows = {1}};
    const auto page =
        RunSearch(source).Find(nullptr, std::nullopt, 10, nullptr);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<uint32_t> ids;
    for (const uint32_t row : page->rows) {
      ids.push_back(index.rows()[row].run.value);
    }
    return ids;
  };
  EXPECT_EQ(found("status = 'LOST'", {}), std::vector<uint32_t>{2});
  EXPECT_EQ(found("status = 'RUNNING'", {}), std::vector<uint32_t>{1});
  EXPECT_EQ(found("", {"status"}), (std::vector<uint32_t>{3, 2, 1}));
}

}  // namespace
}  // namespace waterflow::storage
