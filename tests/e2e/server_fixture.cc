#include "tests/e2e/server_fixture.h"

#include <stdlib.h>

#include <filesystem>

namespace waterflow::testing {

TempDir::TempDir()
    : path_(std::filesystem::temp_directory_path() / "waterflow-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) path_.clear();
}

TempDir::~TempDir() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

ServerFixture::ServerFixture() {
  options_.engine.data_dir = dir_.path() + "/data";
  options_.listen = "127.0.0.1:0";
  Start();
}

ServerFixture::~ServerFixture() {
  if (server_ == nullptr) return;
  const absl::Status closed = server_->Shutdown();
  EXPECT_TRUE(closed.ok()) << closed;
}

void ServerFixture::Start() {
  absl::StatusOr<std::unique_ptr<server::Server>> server =
      server::Server::Start(options_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  channel_ = ConnectAlone(server_->address());
  ingest_ = v1::Ingest::NewStub(channel_);
  query_ = v1::Query::NewStub(channel_);
  tracking_ = v1::Tracking::NewStub(channel_);
  admin_ = v1::Admin::NewStub(channel_);
}

void ServerFixture::Restart() {
  const absl::Status closed = server_->Shutdown();
  EXPECT_TRUE(closed.ok()) << closed;
  server_.reset();
  Start();
}

std::string ServerFixture::CreateRun(const std::string& name) {
  grpc::ClientContext context;
  v1::CreateRunRequest request;
  request.set_name(name);
  v1::CreateRunResponse response;
  const grpc::Status status =
      tracking_->CreateRun(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.run().id();
}

grpc::Status ServerFixture::DeleteRun(const std::string& run_id) {
  grpc::ClientContext context;
  v1::DeleteRunRequest request;
  request.set_run_id(run_id);
  v1::DeleteRunResponse response;
  return tracking_->DeleteRun(&context, request, &response);
}

v1::Open ServerFixture::OpenOf(const std::string& run_id, uint32_t rank,
                               char stream) {
  v1::Open open;
  open.set_run_id(run_id);
  open.mutable_worker()->set_rank(rank);
  open.set_stream_id(std::string(16, stream));
  return open;
}

std::unique_ptr<StreamClient> ServerFixture::OpenStream(const v1::Open& open) {
  auto client = std::make_unique<StreamClient>(channel_);
  EXPECT_TRUE(client->SendOpen(open));
  const std::optional<v1::StreamResponse> opened = client->Receive();
  EXPECT_TRUE(opened.has_value() && opened->has_opened());
  return client;
}

std::unique_ptr<StreamClient> ServerFixture::OpenStream(
    const v1::Open& open, const std::vector<std::string>& metrics) {
  std::unique_ptr<StreamClient> client = OpenStream(open);
  EXPECT_TRUE(client->SendSchema(0, metrics));
  return client;
}

bool ServerFixture::SendAndAwaitAck(StreamClient* client,
                                    const v1::Batch& batch) {
  return client->SendBatch(batch) &&
         client->ReceiveAck(batch.schema_id(),
                            batch.first_row() + batch.rows());
}

ServerFixture::Answer ServerFixture::Read(const v1::ReadRequest& request) {
  grpc::ClientContext context;
  Answer answer;
  const auto reader = query_->Read(&context, request);
  v1::ReadResponse response;
  while (reader->Read(&response)) {
    answer.parts.insert(answer.parts.end(), response.parts().begin(),
                        response.parts().end());
    if (response.has_summary()) answer.summary = response.summary();
  }
  answer.status = reader->Finish();
  return answer;
}

v1::ReadRequest ServerFixture::ReadOf(const std::string& run_id,
                                      const std::string& metric) {
  v1::ReadRequest request;
  request.add_run_ids(run_id);
  request.add_metrics(metric);
  return request;
}

v1::SeriesPart ServerFixture::ReadAll(const std::string& run_id,
                                      const std::string& metric) {
  v1::ReadRequest request = ReadOf(run_id, metric);
  // By time, so that points without a step are there too.
  request.set_axis(v1::AXIS_TIME);
  Answer answer = Read(request);
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_LE(answer.parts.size(), 1u);
  return answer.parts.empty() ? v1::SeriesPart() : answer.parts[0];
}

}  // namespace waterflow::testing
