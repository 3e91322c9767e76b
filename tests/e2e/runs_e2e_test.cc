// Questions over runs through a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunsE2eTest : public ServerFixture {
 protected:
  std::string Create(const std::string& name, const std::string& lr) {
    v1::CreateRunRequest create;
    create.set_name(name);
    create.set_project("sweep");
    create.set_start_ns(++starts_);
    if (!lr.empty()) (*create.mutable_params())["lr"] = lr;
    v1::CreateRunResponse created;
    grpc::ClientContext context;
    EXPECT_TRUE(tracking_->CreateRun(&context, create, &created).ok());
    return created.run().id();
  }
  void Log(const std::string& run, uint32_t rank, int64_t step, double loss) {
    v1::WriteRequest write;
    write.set_run_id(run);
    write.mutable_worker()->set_rank(rank);
    v1::Point* const point = write.add_points();
    point->set_metric("loss");
    point->set_value(loss);
    point->set_step(step);
    v1::WriteResponse written;
    grpc::ClientContext context;
    EXPECT_TRUE(ingest_->Write(&context, write, &written).ok());
  }
  // All messages joined; the columns of the last one that has rows.
  grpc::Status Table(const v1::RunTableRequest& request,
                     v1::RunTableResponse* table, size_t* messages = nullptr) {
    table->Clear();
    grpc::ClientContext context;
    auto call = query_->RunTable(&context, request);
    v1::RunTableResponse part;
    while (call->Read(&part)) {
      if (messages != nullptr) ++*messages;
      EXPECT_LT(part.ByteSizeLong(), 4u << 20);
      table->mutable_run_ids()->MergeFrom(part.run_ids());
      if (part.columns_size() > 0) *table->mutable_columns() = part.columns();
      table->set_next_page_token(part.next_page_token());
    }
    return call->Finish();
  }

  int64_t starts_ = 0;
};

TEST_F(RunsE2eTest, ATableShowsParamsAndMetricsOfRunsInOrder) {
  const std::string a = Create("a", "1e-3");
  const std::string b = Create("b", "1e-4");
  const std::string c = Create("c", "");
  for (uint32_t rank = 0; rank < 2; ++rank) {
    Log(a, rank, 1, 4);
    Log(a, rank, 2, 3 + rank);
    Log(b, rank, 1, 1 + rank);
    Log(b, rank, 2, std::numeric_limits<double>::quiet_NaN());
  }
  v1::RunTableRequest request;
  request.add_projects("sweep");
  request.add_order_by("min(metrics.loss)");
  for (const char* column : {"name", "params.lr", "min(metrics.loss)",
                             "metrics.loss", "max(metrics.loss, sum)"}) {
    request.add_columns(column);
  }
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    v1::RunTableResponse table;
    const grpc::Status status = Table(request, &table);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(table.run_ids(), ElementsAre(b, a, c));
    ASSERT_EQ(table.columns_size(), 5);
    EXPECT_THAT(table.columns(0).texts(), ElementsAre("b", "a", "c"));
    EXPECT_THAT(table.columns(0).has_value(), IsEmpty());
    EXPECT_THAT(table.columns(1).texts(), ElementsAre("1e-4", "1e-3", ""));
    EXPECT_THAT(table.columns(1).has_value(), ElementsAre(true, true, false));
    EXPECT_THAT(table.columns(2).numbers(), ElementsAre(1.5, 3.5, 0));
    EXPECT_TRUE(std::isnan(table.columns(3).numbers(0)));
    EXPECT_EQ(table.columns(3).numbers(1), 3.5);
    EXPECT_THAT(table.columns(3).has_value(), ElementsAre(true, true, false));
    EXPECT_EQ(table.columns(4).numbers(1), 8);
    EXPECT_EQ(table.next_page_token(), "");
    if (!restarted) Restart();
  }
  request.set_page_size(2);
  v1::RunTableResponse page;
  ASSERT_TRUE(Table(request, &page).ok());
  EXPECT_THAT(page.run_ids(), ElementsAre(b, a));
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(Table(request, &page).ok());
  EXPECT_THAT(page.run_ids(), ElementsAre(c));
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(RunsE2eTest, ALargeTableComesInMessages) {
  for (int i = 0; i < 300; ++i) Log(Create("r", "1"), 0, 1, i);
  v1::RunTableRequest request;
  request.set_page_size(10000);
  for (int i = 0; i < 512; ++i) request.add_columns("metrics.loss");
  v1::RunTableResponse table;
  size_t messages = 0;
  ASSERT_TRUE(Table(request, &table, &messages).ok());
  EXPECT_EQ(table.run_ids_size(), 300);
  EXPECT_EQ(messages, 6u);  // 64 rows each, and the end
}

TEST_F(RunsE2eTest, ABadTableIsInvalidAndNamesTheField) {
  v1::RunTableRequest good;
  good.add_columns("name");
  const auto error_of = [&](const v1::RunTableRequest& request) {
    v1::RunTableResponse table;
    const grpc::Status status = Table(request, &table);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  v1::RunTableRequest request = good;
  request.add_columns("median(metrics.loss)");
  EXPECT_THAT(error_of(request),
              HasSubstr("columns[1]: column 1: unknown attribute \"median\""));
  request = good;
  request.set_filter("min(metrics.loss <");
  EXPECT_THAT(error_of(request), HasSubstr("filter: column 18: expected"));
  request = good;
  request.add_order_by("metrics.loss sideways");
  EXPECT_THAT(error_of(request), HasSubstr("order_by[0]: column 14"));
  request = good;
  request.set_page_size(10001);
  EXPECT_THAT(error_of(request), HasSubstr("page_size 10001: at most 10000"));
  request = good;
  request.set_page_token("AAAA");
  EXPECT_THAT(error_of(request), HasSubstr("page_token"));
  request = good;
  for (int i = 0; i < 1024; ++i) request.add_columns("name");
  EXPECT_THAT(error_of(request), HasSubstr("columns: 1025 given"));
  request = good;
  request.add_projects("none");
  v1::RunTableResponse table;
  EXPECT_EQ(Table(request, &table).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(RunsE2eTest, BandsOverSeedsComeGroupByGroup) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) {
    ids.push_back(Create(absl::StrCat("r", i), i < 2 ? "a" : ""));
    for (int64_t step = 0; step < 3; ++step) Log(ids[i], 0, step, i + step);
  }
  v1::BandsRequest request;
  for (const std::string& id : ids) request.add_run_ids(id);
  request.set_metric("loss");
  request.add_group_by("params.lr");
  const auto read = [&](std::vector<v1::BandsResponse>* answers) {
    answers->clear();
    grpc::ClientContext context;
    auto call = query_->Bands(&context, request);
    for (v1::BandsResponse part; call->Read(&part);) answers->push_back(part);
    return call->Finish();
  };
  std::vector<v1::BandsResponse> answers;
  grpc::Status status = read(&answers);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].group().key(0).text(), "a");
  EXPECT_THAT(answers[0].group().run_ids(), ElementsAre(ids[0], ids[1]));
  EXPECT_THAT(answers[0].group().buckets().mean(), ElementsAre(0.5, 1.5, 2.5));
  EXPECT_THAT(answers[0].group().buckets().max_worker(), ElementsAre(1, 1, 1));
  EXPECT_FALSE(answers[1].group().key(0).has_text());
  EXPECT_THAT(answers[1].group().buckets().min(), ElementsAre(2, 3, 4));
  EXPECT_TRUE(answers[2].has_summary());
  EXPECT_EQ(answers[2].summary().points_read(), 12u);

  request.set_axis(static_cast<v1::Axis>(9));
  status = read(&answers);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("axis: 9 is not an Axis"));
  request.set_axis(v1::AXIS_RELATIVE_TIME);
  status = read(&answers);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("max_points 0"));
  request.set_max_points(3);
  request.set_metric("none");
  EXPECT_EQ(read(&answers).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_metric("loss");
  request.set_run_ids(0, "zz");
  EXPECT_THAT(read(&answers).error_message(), HasSubstr("run_ids[0]"));
}

}  // namespace
}  // namespace waterflow::testing
