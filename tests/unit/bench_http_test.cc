// The load over HTTP counts what was answered, from when it was due, and what
// it sends to other systems is what they would read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/http_load.h"
#include "bench/peers/remote_write_requests.h"
#include "bench/peers/row_cursor.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// Answers each request after a while; a thread for each connection.
class TestServer {
 public:
  explicit TestServer(http::status answer = http::status::ok,
                      std::chrono::milliseconds delay = {})
      : answer_(answer),
        delay_(delay),
        acceptor_(io_, {asio::ip::address_v4::loopback(), 0}),
        accepting_([this] { Accept(); }) {}
  // After the last client has hung up.
  ~TestServer() {
    stopping_ = true;
    asio::io_context io;
    asio::ip::tcp::socket wake_up(io);
    beast::error_code ignored;
    wake_up.connect(acceptor_.local_endpoint(), ignored);
    accepting_.join();
    for (std::thread& thread : connections_) thread.join();
  }

  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::vector<std::string> bodies() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return bodies_;
  }

 private:
  void Accept() {
    while (true) {
      beast::error_code error;
      asio::ip::tcp::socket socket = acceptor_.accept(error);
      if (error || stopping_) return;
      connections_.emplace_back(
          [this, socket = std::move(socket)]() mutable { Serve(socket); });
    }
  }
  void Serve(asio::ip::tcp::socket& socket) {
    beast::flat_buffer buffer;
    beast::error_code error;
    while (true) {
      http::request<http::string_body> request;
      http::read(socket, buffer, request, error);
      if (error) return;
      std::this_thread::sleep_for(delay_);
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        bodies_.push_back(request.body());
      }
      http::response<http::string_body> response(answer_, 11);
      response.body() = "as told";
      response.prepare_payload();
      http::write(socket, response, error);
      if (error) return;
    }
  }

  const http::status answer_;
  const std::chrono::milliseconds delay_;
  std::mutex mutex_;
  std::vector<std::string> bodies_;
  std::atomic<bool> stopping_{false};
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  std::vector<std::thread> connections_;
  std::thread accepting_;
};

// A number of bodies for each connection; ten samples in each.
class Numbers final : public HttpRequests {
 public:
  explicit Numbers(int count) : left_(4, count) {}
  uint64_t Next(size_t connection, std::string* body) override {
    if (left_[connection]-- <= 0) return 0;
    *body = std::to_string(connection);
    return 10;
  }

 private:
  std::vector<int> left_;
};

HttpLoadOptions Options(const TestServer& server) {
  HttpLoadOptions options{
      .port = server.port(), .target = "/write", .headers = {}, .load = {}};
  options.load.connections = 4;
  options.load.counters = [] { return OsCounters(); };
  options.load.warmup = absl::ZeroDuration();
  options.load.window = absl::Seconds(30);
  return options;
}

TEST(HttpLoadTest, EverythingIsSentAndCountedOnce) {
  TestServer server;
  HttpLoadOptions options = Options(server);
  options.load.shape = LoadShape::kOnce;
  Numbers requests(5);
  const absl::StatusOr<LoadResult> result = RunHttpLoad(options, &requests);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->counts.samples, 4 * 5 * 10);
  EXPECT_EQ(result->counts.batches, 4 * 5);
  EXPECT_EQ(result->total_samples, 4 * 5 * 10);
  EXPECT_EQ(server.bodies().size(), 4 * 5);
}

// A server that takes 30 ms for what is due each 10 ms falls behind: from when
// they were due, the last ones waited for all before them.
TEST(HttpLoadTest, LatencyCountsFromWhenARequestWasDue) {
  TestServer server(http::status::ok, std::chrono::milliseconds(30));
  HttpLoadOptions options = Options(server);
  options.load.shape = LoadShape::kLive;
  options.load.period = absl::Milliseconds(10);
  options.load.window = absl::Milliseconds(900);
  Numbers requests(1000);
  const absl::StatusOr<LoadResult> result = RunHttpLoad(options, &requests);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_GE(result->counts.batches, 4);
  const auto each = static_cast<int64_t>(result->counts.batches) / 4;
  EXPECT_GE(result->counts.ack_ns.max(), (each * 30 - each * 10) * 1'000'000);
}

TEST(HttpLoadTest, AnErrorSaysWhatWasAnswered) {
  TestServer server(http::status::service_unavailable);
  Numbers requests(5);
  const absl::StatusOr<LoadResult> result =
      RunHttpLoad(Options(server), &requests);
  EXPECT_THAT(result.status().message(), testing::HasSubstr("503: as told"));
}

TEST(HttpLoadTest, ANobodyIsAnError) {
  uint16_t port = 0;
  {
    const TestServer server;
    port = server.port();
  }
  HttpLoadOptions options{
      .port = port, .target = "/write", .headers = {}, .load = {}};
  options.load.connections = 4;
  options.load.counters = [] { return OsCounters(); };
  Numbers requests(5);
  EXPECT_FALSE(RunHttpLoad(options, &requests).ok());
}

TEST(RowCursorTest, EachConnectionSendsItsWorkersInTurn) {
  const Dataset dataset = MakeW1({.workers = 5, .metrics = 2, .steps = 3});
  RowCursor cursor(dataset, 2, 2, /*repeat=*/false);
  std::vector<std::pair<uint32_t, size_t>> seen;  // rank, first row
  while (const RowRange* range = cursor.Next(0)) {
    seen.emplace_back(range->worker->rank, range->first);
  }
  EXPECT_THAT(seen,
              testing::ElementsAre(testing::Pair(0, 0), testing::Pair(2, 0),
                                   testing::Pair(4, 0), testing::Pair(0, 2),
                                   testing::Pair(2, 2), testing::Pair(4, 2)));
}

TEST(RowCursorTest, RoundsGoOnInTime) {
  const Dataset dataset = MakeW1({.workers = 1, .metrics = 1, .steps = 3});
  RowCursor cursor(dataset, 1, 2, /*repeat=*/true);
  int64_t time = 0;
  int64_t step = -1;
  for (int i = 0; i < 20; ++i) {
    const RowRange* range = cursor.Next(0);
    ASSERT_NE(range, nullptr);
    for (size_t row = 0; row < range->rows; ++row) {
      EXPECT_GT(range->time_ns(row), time);
      EXPECT_EQ(range->step(row), step + 1);
      time = range->time_ns(row);
      step = range->step(row);
    }
  }
}

remote_write::WriteRequest Decode(const std::string& body) {
  std::string bytes;
  EXPECT_TRUE(snappy::Uncompress(body.data(), body.size(), &bytes));
  remote_write::WriteRequest request;
  EXPECT_TRUE(request.ParseFromString(bytes));
  return request;
}

TEST(RemoteWriteTest, RowByRowEachSampleHasItsLabels) {
  const Dataset dataset = MakeW1({.workers = 2, .metrics = 3, .steps = 4});
  Shape shape;
  shape.rows = 2;
  RemoteWriteRequests requests(shape, dataset, 2);
  std::string body;
  EXPECT_EQ(requests.Next(1, &body), 6);
  const remote_write::WriteRequest request = Decode(body);
  ASSERT_EQ(request.timeseries_size(), 6);
  const LaneRows& lane = dataset[1].lanes[0];
  for (int i = 0; i < 6; ++i) {
    const remote_write::TimeSeries& series = request.timeseries(i);
    ASSERT_EQ(series.labels_size(), 3);
    EXPECT_EQ(series.labels(0).name(), "__name__");
    EXPECT_EQ(series.labels(0).value(), lane.metrics[i % 3]);
    EXPECT_EQ(series.labels(1).name(), "rank");
    EXPECT_EQ(series.labels(1).value(), "1");
    EXPECT_EQ(series.labels(2).name(), "run");
    EXPECT_EQ(series.labels(2).value(), "w1");
    ASSERT_EQ(series.samples_size(), 1);
    EXPECT_EQ(series.samples(0).value(), lane.columns[i % 3][i / 3]);
    EXPECT_EQ(series.samples(0).timestamp(), lane.times_ns[i / 3] / 1'000'000);
  }
}

TEST(RemoteWriteTest, BySeriesTheLabelsComeOnce) {
  const Dataset dataset = MakeW1({.workers = 1, .metrics = 3, .steps = 4});
  Shape shape;
  shape.kind = ShapeKind::kOnce;
  shape.rows = 4;
  shape.by_series = true;
  RemoteWriteRequests requests(shape, dataset, 1);
  std::string body;
  EXPECT_EQ(requests.Next(0, &body), 12);
  const remote_write::WriteRequest request = Decode(body);
  ASSERT_EQ(request.timeseries_size(), 3);
  for (int m = 0; m < 3; ++m) {
    ASSERT_EQ(request.timeseries(m).samples_size(), 4);
    for (int row = 0; row < 4; ++row) {
      EXPECT_EQ(request.timeseries(m).samples(row).value(),
                dataset[0].lanes[0].columns[m][row]);
    }
  }
  EXPECT_EQ(requests.Next(0, &body), 0);
}

}  // namespace
}  // namespace waterflow::bench
