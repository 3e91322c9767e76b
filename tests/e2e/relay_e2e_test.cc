// Worker -> relay -> server, each over its own port: what reaches the server,
// and what the worker hears, while the server is there and while it is not.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/relay/relay.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RelayTest : public ServerFixture {
 protected:
  RelayTest() {
    // The same port when it comes back.
    options_.listen = server_->address();
    relay_options_.relay_upstream = server_->address();
    relay_options_.listen = "127.0.0.1:0";
    relay_options_.engine.data_dir = dir_.path() + "/relay";
    relay_options_.engine.gather = absl::Milliseconds(1);
    relay_options_.forward.gather = absl::Milliseconds(5);
    relay_options_.forward.backoff_first = absl::Milliseconds(20);
    relay_options_.forward.backoff_most = absl::Milliseconds(200);
    relay_options_.drain_grace = absl::Milliseconds(200);
  }
  ~RelayTest() override { StopRelay(); }

  void StartRelay() {
    auto relay = server::Relay::Start(relay_options_);
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
    to_relay_ = ConnectAlone(relay_->address());
  }
  void StopRelay() {
    if (relay_ == nullptr) return;
    EXPECT_TRUE(relay_->Shutdown().ok());
    relay_.reset();
  }
  void StopServer() {
    EXPECT_TRUE(server_->Shutdown().ok());
    server_.reset();
  }
  std::unique_ptr<StreamClient> Open(const v1::Open& open,
                                     const std::vector<std::string>& metrics) {
    auto client =
        std::make_unique<StreamClient>(to_relay_, std::chrono::seconds(15));
    EXPECT_TRUE(client->SendOpen(open));
    const auto opened = client->Receive();
    EXPECT_TRUE(opened.has_value() && opened->has_opened());
    if (opened.has_value()) opened_ = opened->opened();
    EXPECT_TRUE(client->SendSchema(0, metrics));
    return client;
  }
  static v1::Batch Numbers(uint64_t first, uint64_t rows) {
    std::vector<double> values(rows);
    std::iota(values.begin(), values.end(), static_cast<double>(first));
    return DenseBatch(0, first, {values}, static_cast<int64_t>(first));
  }

  v1::RelayStats Stats() {
    grpc::ClientContext context;
    v1::StatsResponse stats;
    const grpc::Status status = v1::Admin::NewStub(to_relay_)->Stats(
        &context, v1::StatsRequest(), &stats);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return stats.relay();
  }
  static bool Eventually(const std::function<bool()>& what) {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::seconds(15);
    while (!what()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  bool AwaitForwarded() {
    return Eventually([this] { return relay_->store()->waiting_bytes() == 0; });
  }
  // That metric "n" of the rank has the steps and values 0 ... rows - 1.
  void ExpectNumbers(const std::string& run, uint32_t rank, uint64_t rows) {
    const Answer answer = Read(ReadOf(run, "n"));
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    uint64_t row = 0;
    for (const v1::SeriesPart& part : answer.parts) {
      if (part.worker().rank() != rank) continue;
      for (int i = 0; i < part.values_size(); ++i, ++row) {
        ASSERT_EQ(part.steps(i), static_cast<int64_t>(row));
        ASSERT_EQ(part.values(i), static_cast<double>(row));
      }
    }
    EXPECT_EQ(row, rows);
  }

  server::Options relay_options_;
  std::unique_ptr<server::Relay> relay_;
  std::shared_ptr<grpc::Channel> to_relay_;
  v1::Opened opened_;
};

TEST_F(RelayTest, RowsArriveBitForBitHoweverTheyAreCut) {
  StartRelay();
  const std::string run = CreateRun();
  auto worker = Open(OpenOf(run), {"wide", "narrow", "sparse"});
  EXPECT_EQ(opened_.tier(), v1::TIER_RELAY);
  const std::vector<double> odd = {
      std::bit_cast<double>(uint64_t{0x7ff0000000000001}), -0.0,
      std::bit_cast<double>(uint64_t{0xfff8000000000123}), INFINITY, 0x1p-1074};
  std::vector<uint64_t> sent;
  std::vector<double> sparse;
  uint64_t row = 0;
  for (uint64_t rows = 1; row < 300; ++rows) {
    v1::Batch batch;
    batch.set_first_row(row);
    batch.set_rows(static_cast<uint32_t>(rows));
    std::vector<int64_t> axis;
    std::vector<double> wide;
    std::vector<float> narrow;
    std::vector<double> present_values;
    std::string present((rows + 7) / 8, '\0');
    for (uint64_t r = 0; r < rows; ++r, ++row) {
      axis.push_back(static_cast<int64_t>(row));
      wide.push_back(odd[row % odd.size()]);
      sent.push_back(std::bit_cast<uint64_t>(wide.back()));
      narrow.push_back(static_cast<float>(row) / 3);
      if (row % 3 != 0) continue;
      present[r / 8] = static_cast<char>(present[r / 8] | (1 << (r % 8)));
      present_values.push_back(static_cast<double>(row));
      sparse.push_back(present_values.back());
    }
    batch.set_steps(PackInts(axis));
    batch.set_times(PackInts(axis));
    const auto add = [&batch](uint32_t metric, v1::ValueType type,
                              const std::string& values) {
      v1::Column* column = batch.add_columns();
      column->set_metric(metric);
      column->set_type(type);
      column->set_values(values);
      return column;
    };
    add(0, v1::VALUE_TYPE_FLOAT64, PackDoubles(wide));
    add(1, v1::VALUE_TYPE_FLOAT32, PackFloats(narrow));
    add(2, v1::VALUE_TYPE_FLOAT64, PackDoubles(present_values))
        ->set_present(present);
    ASSERT_TRUE(worker->SendBatch(batch));
  }
  ASSERT_TRUE(worker->ReceiveAck(0, row));
  ASSERT_TRUE(AwaitForwarded());
  const v1::SeriesPart wide = ReadAll(run, "wide");
  ASSERT_EQ(wide.values_size(), static_cast<int>(sent.size()));
  for (int i = 0; i < wide.values_size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint64_t>(wide.values(i)), sent[i]);
    EXPECT_EQ(wide.times_ns(i), i);
  }
  EXPECT_EQ(ReadAll(run, "narrow").values(7),
            static_cast<double>(static_cast<float>(7) / 3));
  const v1::SeriesPart few = ReadAll(run, "sparse");
  EXPECT_EQ(std::vector<double>(few.values().begin(), few.values().end()),
            sparse);
}

TEST_F(RelayTest, AWorkerNoticesNothingOfAnAbsentServer) {
  StartRelay();
  const std::string run = CreateRun();
  auto worker = Open(OpenOf(run), {"n"});
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(0, 10)));
  ASSERT_TRUE(AwaitForwarded());
  StopServer();
  for (uint64_t row = 10; row < 510; ++row) {
    ASSERT_TRUE(worker->SendBatch(Numbers(row, 1)));
  }
  ASSERT_TRUE(worker->ReceiveAck(0, 510));
  // A stream that nobody ever saw, of a run that the server knows.
  auto other = Open(OpenOf(run, 1, 't'), {"n"});
  ASSERT_TRUE(SendAndAwaitAck(other.get(), Numbers(0, 100)));
  // All else says why not.
  grpc::ClientContext context;
  v1::CreateRunResponse created;
  const grpc::Status refused = v1::Tracking::NewStub(to_relay_)->CreateRun(
      &context, v1::CreateRunRequest(), &created);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.error_message(), HasSubstr("behind this relay"));
  EXPECT_TRUE(Eventually([this] { return !Stats().connected(); }));
  EXPECT_EQ(Stats().waiting_rows(), 600u);
  EXPECT_GT(Stats().oldest_seconds(), 0);

  StopRelay();  // keeps what it has
  StartRelay();
  Start();
  ASSERT_TRUE(AwaitForwarded());
  ExpectNumbers(run, 0, 510);
  ExpectNumbers(run, 1, 100);
  // What came row by row went on in few batches.
  EXPECT_LT(Stats().forwarded_batches(), 20u);
  EXPECT_EQ(Stats().rejected_batches(), 0u);
}

TEST_F(RelayTest, ReadsAndWritesGoThrough) {
  StartRelay();
  const auto tracking = v1::Tracking::NewStub(to_relay_);
  v1::CreateRunResponse created;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(
        tracking->CreateRun(&context, v1::CreateRunRequest(), &created).ok());
  }
  v1::WriteRequest write;
  write.set_run_id(created.run().id());
  v1::Point* point = write.add_points();
  point->set_metric("m");
  point->set_value(2.5);
  {
    grpc::ClientContext context;
    v1::WriteResponse written;
    ASSERT_TRUE(
        v1::Ingest::NewStub(to_relay_)->Write(&context, write, &written).ok());
  }
  grpc::ClientContext context;
  v1::ReadRequest read = ReadOf(created.run().id(), "m");
  read.set_axis(v1::AXIS_TIME);  // the point has no step
  const auto reader = v1::Query::NewStub(to_relay_)->Read(&context, read);
  double value = 0;
  v1::ReadResponse answer;
  while (reader->Read(&answer)) {
    for (const v1::SeriesPart& part : answer.parts()) value = part.values(0);
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(value, 2.5);
  // The status of the server itself comes back.
  grpc::ClientContext missing_context;
  v1::GetRunRequest missing;
  missing.set_run_id(std::string(32, '0'));
  v1::GetRunResponse nothing;
  EXPECT_EQ(tracking->GetRun(&missing_context, missing, &nothing).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

// How the relay ends a call of this method that was sent an empty message.
grpc::StatusCode CodeOf(const std::shared_ptr<grpc::Channel>& channel,
                        const google::protobuf::MethodDescriptor& method) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  grpc::CompletionQueue queue;
  grpc::Status status;
  void* tag = nullptr;
  bool ok = false;
  const auto call = stub.PrepareCall(
      &context,
      absl::StrCat("/", method.service()->full_name(), "/", method.name()),
      &queue);
  call->StartCall(&tag);
  queue.Next(&tag, &ok);
  grpc::Slice nothing;
  call->WriteLast(grpc::ByteBuffer(&nothing, 1), grpc::WriteOptions(), &tag);
  queue.Next(&tag, &ok);
  call->Finish(&status, &tag);
  queue.Next(&tag, &ok);
  return status.error_code();
}

// A method that the server gets and nobody gives the relay would be
// UNIMPLEMENTED.
TEST_F(RelayTest, EveryMethodOfTheServerGoesThrough) {
  StartRelay();
  StopServer();
  for (const char* name : {"Tracking", "Query", "Ingest"}) {
    const google::protobuf::ServiceDescriptor* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            absl::StrCat("waterflow.v1.", name));
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      const google::protobuf::MethodDescriptor& method = *service->method(i);
      if (method.full_name() == "waterflow.v1.Ingest.Stream") continue;
      EXPECT_EQ(CodeOf(to_relay_, method), grpc::StatusCode::UNAVAILABLE)
          << method.full_name();
    }
  }
}

TEST_F(RelayTest, ADeletedRunEndsItsStreamsAndNoOthers) {
  StartRelay();
  const std::string gone = CreateRun();
  const std::string kept = CreateRun();
  auto first = Open(OpenOf(gone), {"n"});
  auto second = Open(OpenOf(kept, 0, 't'), {"n"});
  ASSERT_TRUE(SendAndAwaitAck(first.get(), Numbers(0, 10)));
  ASSERT_TRUE(AwaitForwarded());
  first->HalfClose();
  EXPECT_TRUE(first->Finish().ok());
  first = Open(OpenOf(gone), {"n"});
  ASSERT_TRUE(DeleteRun(gone).ok());
  first->SendBatch(Numbers(10, 1));
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(SendAndAwaitAck(second.get(), Numbers(0, 20)));
  ASSERT_TRUE(AwaitForwarded());
  ExpectNumbers(kept, 0, 20);
}

TEST_F(RelayTest, AFullRelayEndsStreamsNamesItsLimitAndLosesNothing) {
  relay_options_.relay_disk_bytes = 50'000;
  StartRelay();
  const std::string run = CreateRun();
  StopServer();
  auto worker = Open(OpenOf(run), {"n"});
  uint64_t row = 0;
  while (row < 1'000'000 && SendAndAwaitAck(worker.get(), Numbers(row, 100))) {
    row += 100;
  }
  const grpc::Status ended = worker->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(ended.error_message(), HasSubstr("--relay-disk"));
  EXPECT_GT(row, 1000u);
  Start();
  ASSERT_TRUE(AwaitForwarded());
  worker = Open(OpenOf(run), {"n"});
  ASSERT_EQ(opened_.lanes_size(), 1);
  EXPECT_EQ(opened_.lanes(0).next_row(), row);
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(row, 100)));
  ASSERT_TRUE(AwaitForwarded());
  ExpectNumbers(run, 0, row + 100);
}

TEST_F(RelayTest, RefusedRowsAreNoGapAtTheServer) {
  StartRelay();
  const std::string run = CreateRun();
  auto worker = Open(OpenOf(run), {"n"});
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(0, 5)));
  v1::Batch bad = Numbers(5, 5);
  bad.mutable_columns(0)->mutable_values()->resize(3);
  ASSERT_TRUE(worker->SendBatch(bad));
  ASSERT_TRUE(worker->SendBatch(Numbers(10, 5)));
  EXPECT_FALSE(worker->ReceiveAck(0, 15));
  EXPECT_EQ(worker->last_rejected().rows(), 5u);
  ASSERT_TRUE(worker->ReceiveAck(0, 15));
  ASSERT_TRUE(AwaitForwarded());
  const Answer answer = Read(ReadOf(run, "n"));
  ASSERT_EQ(answer.parts.size(), 1u);
  EXPECT_EQ(answer.parts[0].values_size(), 10);
  EXPECT_EQ(answer.summary.lost_size(), 0);
  EXPECT_EQ(Stats().rejected_batches(), 0u);
}

TEST_F(RelayTest, RowsThatAWorkerLostAreNamedByTheServer) {
  StartRelay();
  const std::string run = CreateRun();
  {
    auto worker = Open(OpenOf(run), {"n"});
    ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(0, 10)));
  }
  v1::Open open = OpenOf(run);
  open.add_held()->set_next_row(30);
  auto worker = Open(open, {"n"});
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(30, 10)));
  ASSERT_TRUE(AwaitForwarded());
  const Answer answer = Read(ReadOf(run, "n"));
  ASSERT_EQ(answer.parts.size(), 1u);
  EXPECT_EQ(answer.parts[0].values_size(), 20);
  ASSERT_EQ(answer.summary.lost_size(), 1);
  EXPECT_EQ(answer.summary.lost(0).first_row(), 10u);
  EXPECT_EQ(answer.summary.lost(0).end_row(), 30u);
}

TEST_F(RelayTest, AServerThatLostRowsGoesOnAndNamesThem) {
  StartRelay();
  const std::string run = CreateRun();
  auto worker = Open(OpenOf(run), {"n"});
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(0, 10)));
  ASSERT_TRUE(AwaitForwarded());
  StopServer();
  std::filesystem::copy(options_.engine.data_dir, dir_.path() + "/older",
                        std::filesystem::copy_options::recursive);
  Start();
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(10, 10)));
  ASSERT_TRUE(AwaitForwarded());
  StopServer();
  options_.engine.data_dir = dir_.path() + "/older";
  Start();
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(20, 10)));
  ASSERT_TRUE(AwaitForwarded());
  const Answer answer = Read(ReadOf(run, "n"));
  ASSERT_EQ(answer.parts.size(), 1u);
  EXPECT_EQ(answer.parts[0].values_size(), 20);
  ASSERT_EQ(answer.summary.lost_size(), 1);
  EXPECT_EQ(answer.summary.lost(0).first_row(), 10u);
  EXPECT_EQ(answer.summary.lost(0).end_row(), 20u);
}

TEST_F(RelayTest, RowsWithoutATimeHaveThatOfTheirReceiptHereNotThere) {
  StartRelay();
  const std::string run = CreateRun();
  StopServer();
  auto worker = Open(OpenOf(run), {"n"});
  v1::Batch batch = Numbers(0, 3);
  batch.clear_times();
  ASSERT_TRUE(SendAndAwaitAck(worker.get(), batch));
  const int64_t acked_ns = absl::GetCurrentTimeNanos();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  Start();
  ASSERT_TRUE(AwaitForwarded());
  const v1::SeriesPart part = ReadAll(run, "n");
  ASSERT_EQ(part.times_ns_size(), 3);
  EXPECT_LE(part.times_ns(0), acked_ns);
}

TEST_F(RelayTest, ARestartedJobHidesWhatItLogsAgain) {
  StartRelay();
  const std::string run = CreateRun();
  StopServer();
  {
    auto worker = Open(OpenOf(run), {"n"});
    ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(0, 10)));
  }
  v1::Open again = OpenOf(run);
  again.set_attempt(2);
  again.set_resume_step(5);
  {
    // The same stream, so one call after the other.
    auto worker = Open(again, {"n"});
    v1::Batch batch = Numbers(10, 5);
    batch.set_steps(PackInts({5, 6, 7, 8, 9}));
    ASSERT_TRUE(SendAndAwaitAck(worker.get(), batch));
  }
  Start();
  ASSERT_TRUE(AwaitForwarded());
  const Answer answer = Read(ReadOf(run, "n"));
  std::vector<double> values;
  for (const v1::SeriesPart& part : answer.parts) {
    values.insert(values.end(), part.values().begin(), part.values().end());
  }
  EXPECT_THAT(values, ElementsAre(0, 1, 2, 3, 4, 10, 11, 12, 13, 14));
}

TEST_F(RelayTest, ServerAndRelayRefuseEachOthersDirectory) {
  StartRelay();
  StopRelay();
  server::Options options = relay_options_;
  options.relay_upstream.clear();
  const auto server = server::Server::Start(options);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("--relay"));
  options = relay_options_;
  options.engine.data_dir = options_.engine.data_dir;
  EXPECT_EQ(server::Relay::Start(options).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(RelayTest, ManyStreamsWithABacklogAllGetThrough) {
  StartRelay();
  const std::string run = CreateRun();
  StopServer();
  constexpr uint32_t kRanks = 40;
  for (uint32_t rank = 0; rank < kRanks; ++rank) {
    auto worker = Open(OpenOf(run, rank, static_cast<char>('0' + rank)), {"n"});
    ASSERT_TRUE(SendAndAwaitAck(worker.get(), Numbers(0, 500)));
  }
  Start();
  ASSERT_TRUE(AwaitForwarded());
  for (uint32_t rank = 0; rank < kRanks; ++rank) ExpectNumbers(run, rank, 500);
}

}  // namespace
}  // namespace waterflow::testing
