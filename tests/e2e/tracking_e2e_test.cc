// Projects and runs, and what the other services say about them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class TrackingE2eTest : public ServerFixture {
 protected:
  // One unary call; the response stays in `response`.
  template <typename Stub, typename Request, typename Response>
  grpc::Status Call(Stub* stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    return (stub->*method)(&context, request, response);
  }
};

TEST_F(TrackingE2eTest, SameKeyNamesOneRunFromManyThreads) {
  constexpr int kThreads = 32;
  std::vector<std::string> ids(kThreads);
  std::atomic<int> created{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      v1::CreateRunRequest request;
      request.set_key("slurm-4711");
      request.set_name(absl::StrCat("rank ", i));
      v1::CreateRunResponse response;
      const grpc::Status status = Call(
          tracking_.get(), &v1::Tracking::Stub::CreateRun, request, &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      ids[i] = response.run().id();
      created += response.created() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 1u);
  EXPECT_EQ(created, 1);
}

TEST_F(TrackingE2eTest, RunIsCreatedChangedListedAndDeleted) {
  v1::CreateRunRequest create;
  create.set_project("lm");
  create.set_name("base");
  create.set_start_ns(42);
  (*create.mutable_params())["lr"] = "3e-4";
  (*create.mutable_tags())["team"] = "pre";
  v1::CreateRunResponse created;
  ASSERT_TRUE(
      Call(tracking_.get(), &v1::Tracking::Stub::CreateRun, create, &created)
          .ok());
  EXPECT_TRUE(created.created());
  const v1::Run& run = created.run();
  EXPECT_EQ(run.id().size(), 32u);
  EXPECT_EQ(run.project(), "lm");
  EXPECT_EQ(run.start_ns(), 42);
  EXPECT_THAT(run.params(), ElementsAre(Pair("lr", "3e-4")));

  v1::UpdateRunRequest update;
  update.set_run_id(run.id());
  update.set_status(v1::RUN_STATUS_FINISHED);
  update.set_name("renamed");
  (*update.mutable_set_tags())["note"] = "n";
  update.add_remove_tags("team");
  v1::UpdateRunResponse updated;
  ASSERT_TRUE(
      Call(tracking_.get(), &v1::Tracking::Stub::UpdateRun, update, &updated)
          .ok());
  Restart();
  v1::GetRunRequest get;
  get.set_run_id(run.id());
  v1::GetRunResponse got;
  ASSERT_TRUE(
      Call(tracking_.get(), &v1::Tracking::Stub::GetRun, get, &got).ok());
  EXPECT_EQ(got.run().name(), "renamed");
  EXPECT_EQ(got.run().status(), v1::RUN_STATUS_FINISHED);
  EXPECT_GT(got.run().end_ns(), 0);
  EXPECT_THAT(got.run().tags(), ElementsAre(Pair("note", "n")));

  v1::UpdateRunRequest other_param;
  other_param.set_run_id(run.id());
  (*other_param.mutable_set_params())["lr"] = "1";
  EXPECT_EQ(Call(tracking_.get(), &v1::Tracking::Stub::UpdateRun, other_param,
                 &updated)
                .error_code(),
            grpc::StatusCode::FAILED_PRECONDITION)
      << "a param keeps its first value";
  for (const int status : {0, 6, 7, 257}) {
    v1::UpdateRunRequest bad_status;
    bad_status.set_run_id(run.id());
    bad_status.set_status(static_cast<v1::RunStatus>(status));
    EXPECT_EQ(Call(tracking_.get(), &v1::Tracking::Stub::UpdateRun, bad_status,
                   &updated)
                  .error_code(),
              grpc::StatusCode::INVALID_ARGUMENT)
        << status;
  }

  EXPECT_TRUE(DeleteRun(run.id()).ok());
  EXPECT_EQ(DeleteRun(run.id()).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Call(tracking_.get(), &v1::Tracking::Stub::GetRun, get, &got)
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(TrackingE2eTest, AForkReadsAsItsParentUpToItsStep) {
  const std::string parent = CreateRun();
  auto stream = OpenStream(OpenOf(parent), {"loss"});
  ASSERT_TRUE(SendAndAwaitAck(stream.get(), DenseBatch(0, 0, {{8, 7, 6, 5}})));

  v1::CreateRunRequest create;
  create.mutable_fork_from()->set_run_id(parent);
  create.mutable_fork_from()->set_step(2);
  v1::CreateRunResponse created;
  grpc::Status status =
      Call(tracking_.get(), &v1::Tracking::Stub::CreateRun, create, &created);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(created.run().forked_from().run_id(), parent);
  EXPECT_EQ(created.run().forked_from().step(), 2);
  const std::string fork = created.run().id();
  auto forked = OpenStream(OpenOf(fork), {"loss"});
  ASSERT_TRUE(SendAndAwaitAck(forked.get(), DenseBatch(0, 0, {{60, 50}}, 2)));
  EXPECT_THAT(ReadAll(fork, "loss").values(), ElementsAre(8, 7, 60, 50));
  EXPECT_THAT(ReadAll(parent, "loss").values(), ElementsAre(8, 7, 6, 5));

  // The parent stays as long as it is read.
  status = DeleteRun(parent);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr(fork));

  create.mutable_fork_from()->set_run_id("none");
  status =
      Call(tracking_.get(), &v1::Tracking::Stub::CreateRun, create, &created);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr("fork_from.run_id"));
}

TEST_F(TrackingE2eTest, RunsAreListedNewestFirstInPages) {
  std::vector<std::string> newest_first;
  for (int i = 0; i < 5; ++i) {
    newest_first.insert(newest_first.begin(), CreateRun(absl::StrCat("r", i)));
  }
  std::vector<std::string> listed;
  v1::ListRunsRequest request;
  request.set_project("default");
  request.set_page_size(2);
  v1::ListRunsResponse response;
  int pages = 0;
  do {
    request.set_page_token(response.next_page_token());
    ASSERT_TRUE(
        Call(tracking_.get(), &v1::Tracking::Stub::ListRuns, request, &response)
            .ok());
    for (const v1::Run& run : response.runs()) listed.push_back(run.id());
    ++pages;
  } while (!response.next_page_token().empty());
  EXPECT_EQ(listed, newest_first);
  EXPECT_EQ(pages, 3);
}

TEST_F(TrackingE2eTest, LargeRunsComeInPagesBelowTheDefaultLimit) {
  constexpr int kRuns = 30;
  for (int i = 0; i < kRuns; ++i) {
    v1::CreateRunRequest request;
    for (int p = 0; p < 25; ++p) {
      (*request.mutable_params())[absl::StrCat("p", p)] =
          std::string(8000, 'v');
    }
    v1::CreateRunResponse response;
    ASSERT_TRUE(Call(tracking_.get(), &v1::Tracking::Stub::CreateRun, request,
                     &response)
                    .ok());
  }
  std::set<std::string> listed;
  v1::ListRunsRequest request;
  v1::ListRunsResponse response;
  do {
    request.set_page_token(response.next_page_token());
    const grpc::Status status = Call(
        tracking_.get(), &v1::Tracking::Stub::ListRuns, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    for (const v1::Run& run : response.runs()) listed.insert(run.id());
  } while (!response.next_page_token().empty());
  EXPECT_EQ(listed.size(), static_cast<size_t>(kRuns));
}

TEST_F(TrackingE2eTest, ProjectIsCreatedRenamedListedAndDeletedWithItsRuns) {
  v1::CreateProjectRequest create;
  create.set_name("vision");
  v1::CreateProjectResponse created;
  auto* const stub = tracking_.get();
  ASSERT_TRUE(
      Call(stub, &v1::Tracking::Stub::CreateProject, create, &created).ok());
  EXPECT_EQ(Call(stub, &v1::Tracking::Stub::CreateProject, create, &created)
                .error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  v1::UpdateProjectRequest update;
  update.set_name("vision");
  update.set_new_name("sight");
  (*update.mutable_set_tags())["k"] = "v";
  v1::UpdateProjectResponse updated;
  ASSERT_TRUE(
      Call(stub, &v1::Tracking::Stub::UpdateProject, update, &updated).ok());
  v1::CreateRunRequest run;
  run.set_project("sight");
  v1::CreateRunResponse run_created;
  ASSERT_TRUE(
      Call(stub, &v1::Tracking::Stub::CreateRun, run, &run_created).ok());

  v1::ListProjectsResponse listed;
  ASSERT_TRUE(Call(stub, &v1::Tracking::Stub::ListProjects, {}, &listed).ok());
  ASSERT_EQ(listed.projects_size(), 1);
  EXPECT_EQ(listed.projects(0).name(), "sight");
  EXPECT_EQ(listed.projects(0).run_count(), 1u);
  EXPECT_THAT(listed.projects(0).tags(), ElementsAre(Pair("k", "v")));

  v1::DeleteProjectRequest remove;
  remove.set_name("sight");
  v1::DeleteProjectResponse removed;
  ASSERT_TRUE(
      Call(stub, &v1::Tracking::Stub::DeleteProject, remove, &removed).ok());
  EXPECT_EQ(removed.runs(), 1u);
  v1::GetRunRequest get;
  get.set_run_id(run_created.run().id());
  v1::GetRunResponse got;
  EXPECT_EQ(Call(stub, &v1::Tracking::Stub::GetRun, get, &got).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(TrackingE2eTest, MetricsWorkersAndLastValuesAreToldByTheRun) {
  const std::string run = CreateRun();
  for (uint32_t rank = 0; rank < 2; ++rank) {
    v1::Open open = OpenOf(run, rank, static_cast<char>('a' + rank));
    open.set_world_size(2);
    const auto client = OpenStream(open);
    v1::StreamRequest request;
    request.mutable_schema()->set_id(0);
    v1::Metric* metric = request.mutable_schema()->add_metrics();
    metric->set_name("loss");
    metric->set_unit("nats");
    metric->set_goal(v1::GOAL_MINIMIZE);
    ASSERT_TRUE(client->Send(request));
    ASSERT_TRUE(
        SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{4, 2, 3.0 + rank}})));
  }
  v1::ListMetricsRequest metrics_request;
  metrics_request.set_run_id(run);
  v1::ListMetricsResponse metrics;
  ASSERT_TRUE(Call(query_.get(), &v1::Query::Stub::ListMetrics, metrics_request,
                   &metrics)
                  .ok());
  ASSERT_EQ(metrics.metrics_size(), 1);
  EXPECT_EQ(metrics.metrics(0).unit(), "nats");
  EXPECT_EQ(metrics.metrics(0).goal(), v1::GOAL_MINIMIZE);

  v1::ListWorkersRequest workers_request;
  workers_request.set_run_id(run);
  v1::ListWorkersResponse workers;
  ASSERT_TRUE(Call(query_.get(), &v1::Query::Stub::ListWorkers, workers_request,
                   &workers)
                  .ok());
  ASSERT_EQ(workers.workers_size(), 2);
  EXPECT_EQ(workers.workers(1).worker().rank(), 1u);
  EXPECT_EQ(workers.workers(1).world_size(), 2u);
  EXPECT_EQ(workers.workers(1).rows(), 3u);

  v1::LastValuesRequest last_request;
  last_request.set_run_id(run);
  v1::LastValuesResponse last;
  ASSERT_TRUE(
      Call(query_.get(), &v1::Query::Stub::LastValues, last_request, &last)
          .ok());
  ASSERT_EQ(last.values_size(), 2);
  EXPECT_EQ(last.values(1).value(), 4);
  EXPECT_EQ(last.values(1).step(), 2);
  EXPECT_EQ(last.values(1).count(), 3u);
  EXPECT_EQ(last.values(1).min(), 2);
}

TEST_F(TrackingE2eTest, ReducedAnswerNamesTheWorkers) {
  const std::string run = CreateRun();
  for (uint32_t rank = 0; rank < 3; ++rank) {
    const auto client =
        OpenStream(OpenOf(run, rank, static_cast<char>('a' + rank)), {"t"});
    ASSERT_TRUE(
        SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1.0 + rank, 5}})));
  }
  v1::ReadRequest request = ReadOf(run, "t");
  request.set_reduction(v1::REDUCTION_MAX);
  const Answer answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.parts.size(), 1u);
  const v1::Buckets& buckets = answer.parts[0].buckets();
  EXPECT_FALSE(answer.parts[0].has_worker());
  EXPECT_EQ(answer.parts[0].reduction(), v1::REDUCTION_MAX);
  EXPECT_THAT(buckets.value(), ElementsAre(3, 5));
  EXPECT_THAT(buckets.mean(), ElementsAre(2, 5));
  ASSERT_EQ(buckets.workers_size(), 3);
  EXPECT_EQ(buckets.workers(buckets.max_worker(0)).rank(), 2u);
  EXPECT_EQ(buckets.workers(buckets.min_worker(0)).rank(), 0u);
}

TEST_F(TrackingE2eTest, StatsCountWhatCame) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a", "b"});
  ASSERT_TRUE(
      SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1, 2}, {3, 4}})));
  ASSERT_TRUE(
      SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1, 2}, {3, 4}})));
  v1::StatsResponse stats;
  ASSERT_TRUE(Call(admin_.get(), &v1::Admin::Stub::Stats, {}, &stats).ok());
  EXPECT_EQ(stats.runs(), 1u);
  EXPECT_EQ(stats.rows(), 2u);
  EXPECT_EQ(stats.values(), 4u);
  EXPECT_EQ(stats.duplicate_rows(), 2u);
  EXPECT_EQ(stats.open_streams(), 1u);
  EXPECT_GT(stats.resident_bytes(), 0u);
  EXPECT_GT(stats.cpu_ns(), 0u);
  EXPECT_THAT(stats.storage_version(), ::testing::HasSubstr("RocksDB"));
  EXPECT_THAT(stats.storage_version(), ::testing::HasSubstr("crc32c"));
}

TEST_F(TrackingE2eTest, CheckpointIsAStoreOfItsOwn) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a"});
  ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1, 2}})));
  v1::CheckpointRequest request;
  request.set_path("relative");
  v1::CheckpointResponse response;
  const auto checkpoint = [&] {
    return Call(admin_.get(), &v1::Admin::Stub::Checkpoint, request, &response)
        .error_code();
  };
  EXPECT_EQ(checkpoint(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_path(dir_.path() + "/copy");
  EXPECT_EQ(checkpoint(), grpc::StatusCode::OK);
  EXPECT_GT(response.bytes(), 0u);
  EXPECT_EQ(checkpoint(), grpc::StatusCode::ALREADY_EXISTS);
  ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 2, {{3}}, 2)));

  ASSERT_TRUE(server_->Shutdown().ok());
  server_.reset();
  options_.engine.data_dir = request.path();
  const auto copy = server::Server::Start(options_);
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->engine()->Stats().rows, 2u);
}

TEST_F(TrackingE2eTest, HealthIsServing) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  for (const std::string service : {"", "waterflow.v1.Ingest"}) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    ASSERT_TRUE(health->Check(&context, request, &response).ok());
    EXPECT_EQ(response.status(),
              grpc::health::v1::HealthCheckResponse::SERVING);
  }
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("no.such.Service");
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_EQ(health->Check(&context, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(TrackingE2eTest, HealthWatcherHearsThatTheServerDrains) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, {});
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  std::thread stopper([&] { EXPECT_TRUE(server_->Shutdown().ok()); });
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(),
            grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));
  watch->Finish();
  stopper.join();
}

}  // namespace
}  // namespace waterflow::testing
