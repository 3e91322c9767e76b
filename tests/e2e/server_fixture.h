// A real server in this process, on a port of its own over a folder of its own,
// and what most tests do with it through generated stubs.
#ifndef WATERFLOW_TESTS_E2E_SERVER_FIXTURE_H_
#define WATERFLOW_TESTS_E2E_SERVER_FIXTURE_H_

#include <grpcpp/channel.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/server.h"
#include "tests/e2e/stream_client.h"
#include "waterflow/v1/admin.grpc.pb.h"
#include "waterflow/v1/ingest.grpc.pb.h"
#include "waterflow/v1/query.grpc.pb.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow::testing {

// A folder below the test's temporary one; removed with all it holds.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture();
  ~ServerFixture() override;

  // Stops the server cleanly and starts another over the same folder.
  void Restart();
  // Starts it when it was stopped, with connections of its own.
  void Start();

  // ---- runs ----
  std::string CreateRun(const std::string& name = "");
  grpc::Status DeleteRun(const std::string& run_id);

  // ---- streams ----
  static v1::Open OpenOf(const std::string& run_id, uint32_t rank = 0,
                         char stream = 's');
  // A call whose Open was answered.
  std::unique_ptr<StreamClient> OpenStream(const v1::Open& open);
  // The same with a schema of these names as number 0.
  std::unique_ptr<StreamClient> OpenStream(
      const v1::Open& open, const std::vector<std::string>& metrics);
  // Sends the batch and waits for the ack of its last row.
  static bool SendAndAwaitAck(StreamClient* client, const v1::Batch& batch);

  // ---- reading ----
  struct Answer {
    grpc::Status status;
    std::vector<v1::SeriesPart> parts;
    v1::ReadSummary summary;
  };
  Answer Read(const v1::ReadRequest& request);
  static v1::ReadRequest ReadOf(const std::string& run_id,
                                const std::string& metric);
  // All raw points of one metric of the run, in one part.
  v1::SeriesPart ReadAll(const std::string& run_id, const std::string& metric);

  TempDir dir_;
  server::Options options_;
  std::unique_ptr<server::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Ingest::Stub> ingest_;
  std::unique_ptr<v1::Query::Stub> query_;
  std::unique_ptr<v1::Tracking::Stub> tracking_;
  std::unique_ptr<v1::Admin::Stub> admin_;
};

}  // namespace waterflow::testing

#endif  // WATERFLOW_TESTS_E2E_SERVER_FIXTURE_H_
