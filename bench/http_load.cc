#include "bench/http_load.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <functional>

#include "absl/strings/str_cat.h"
#include "bench/process.h"
#include "bench/stop.h"

namespace waterflow::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// Longer means that the server hangs.
constexpr std::chrono::seconds kAnswerTimeout(120);
constexpr absl::Duration kDrainTimeout = absl::Seconds(120);

class HttpLoad {
 public:
  HttpLoad(const HttpLoadOptions& options, HttpRequests* requests)
      : options_(options), requests_(*requests) {}

  absl::StatusOr<LoadResult> Run();

 private:
  asio::awaitable<void> Drive(size_t connection);
  // Waits until the connection's n-th request is due, and returns when it was.
  asio::awaitable<int64_t> AwaitDue(size_t connection, int64_t n);
  http::request<http::string_body> EmptyRequest() const;
  void Fail(absl::string_view what);
  // Runs the connections until `done`, or all of them have ended.
  absl::Status RunUntil(const std::function<bool()>& done);
  absl::Status RunFor(absl::Duration duration);

  const HttpLoadOptions& options_;
  HttpRequests& requests_;
  asio::io_context io_{1};
  int64_t start_ns_ = 0;
  size_t open_ = 0;
  bool ending_ = false;
  absl::Status status_;
  LoadCounts counts_;
  uint64_t total_samples_ = 0;
};

void HttpLoad::Fail(absl::string_view what) {
  if (status_.ok()) status_ = absl::InternalError(what);
}

http::request<http::string_body> HttpLoad::EmptyRequest() const {
  http::request<http::string_body> request(http::verb::post, options_.target,
                                           11);
  request.set(http::field::host, absl::StrCat("127.0.0.1:", options_.port));
  for (const auto& [name, value] : options_.headers) request.set(name, value);
  return request;
}

// The same spread over the period as streams have; no jitter is needed to keep
// connections apart that wait for one thread.
asio::awaitable<int64_t> HttpLoad::AwaitDue(size_t connection, int64_t n) {
  const auto period =
      static_cast<double>(absl::ToInt64Nanoseconds(options_.load.period));
  const double offset = options_.load.spread * period *
                        static_cast<double>(connection) /
                        options_.load.connections;
  const int64_t due = start_ns_ + static_cast<int64_t>(
                                      offset + static_cast<double>(n) * period);
  if (due > MonotonicNs()) {
    asio::steady_timer timer(io_);
    timer.expires_at(
        std::chrono::steady_clock::time_point(std::chrono::nanoseconds(due)));
    beast::error_code ignored;
    co_await timer.async_wait(
        asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return due;
}

asio::awaitable<void> HttpLoad::Drive(size_t connection) {
  beast::error_code error;
  const auto token = [&error] {
    return asio::redirect_error(asio::use_awaitable, error);
  };
  beast::tcp_stream stream(io_);
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(),
                                       options_.port);
  co_await stream.async_connect(server, token());
  if (!error) stream.socket().set_option(asio::ip::tcp::no_delay(true), error);
  http::request<http::string_body> request = EmptyRequest();
  beast::flat_buffer buffer;
  for (int64_t n = 0; !error && !ending_; ++n) {
    int64_t since = 0;
    if (options_.load.shape == LoadShape::kLive) {
      since = co_await AwaitDue(connection, n);
      if (ending_) break;
    }
    const uint64_t samples = requests_.Next(connection, &request.body());
    if (samples == 0) break;
    request.prepare_payload();
    if (since == 0) since = MonotonicNs();
    stream.expires_after(kAnswerTimeout);
    const size_t sent = co_await http::async_write(stream, request, token());
    http::response<http::string_body> response;
    if (!error) {
      co_await http::async_read(stream, buffer, response, token());
    }
    if (error) break;
    if (response.result_int() / 100 != 2) {
      Fail(absl::StrCat("the server answered ", response.result_int(), ": ",
                        response.body()));
      break;
    }
    ++counts_.batches;
    ++counts_.acks;
    counts_.samples += samples;
    counts_.message_bytes += sent;
    counts_.ack_ns.Add(static_cast<uint64_t>(MonotonicNs() - since));
    total_samples_ += samples;
    if (!response.keep_alive()) {
      stream.close();
      co_await stream.async_connect(server, token());
    }
  }
  if (error) Fail(error.message());
  --open_;
}

absl::Status HttpLoad::RunUntil(const std::function<bool()>& done) {
  while (open_ > 0 && !done()) {
    io_.run_for(std::chrono::milliseconds(20));
    if (!status_.ok()) return status_;
    if (StopRequested()) return absl::CancelledError("stopped");
  }
  return absl::OkStatus();
}

absl::Status HttpLoad::RunFor(absl::Duration duration) {
  const int64_t end = MonotonicNs() + absl::ToInt64Nanoseconds(duration);
  return RunUntil([end] { return MonotonicNs() >= end; });
}

absl::StatusOr<LoadResult> HttpLoad::Run() {
  const LoadOptions& load = options_.load;
  const bool once = load.shape == LoadShape::kOnce;
  start_ns_ = MonotonicNs();
  for (size_t i = 0; i < load.connections; ++i) {
    ++open_;
    asio::co_spawn(io_, Drive(i), asio::detached);
  }
  if (!once) {
    const absl::Status warm = RunFor(load.warmup);
    if (!warm.ok()) return warm;
    counts_ = LoadCounts();
  }
  const absl::StatusOr<OsCounters> before = load.counters();
  if (!before.ok()) return before.status();
  const double client_before = OwnCpuSeconds();
  const int64_t start = MonotonicNs();
  const absl::Status ran = RunFor(load.window);
  if (!ran.ok()) return ran;
  const absl::StatusOr<OsCounters> after = load.counters();
  if (!after.ok()) return after.status();
  LoadResult result;
  result.seconds = static_cast<double>(MonotonicNs() - start) * 1e-9;
  result.spent = after->Since(*before);
  result.client_cpu_seconds = OwnCpuSeconds() - client_before;
  result.counts = counts_;
  ending_ = true;
  const absl::Status drained = RunFor(kDrainTimeout);
  if (!drained.ok()) return drained;
  if (open_ > 0) return absl::UnavailableError("requests without an answer");
  result.total_samples = total_samples_;
  return result;
}

}  // namespace

absl::StatusOr<LoadResult> RunHttpLoad(const HttpLoadOptions& options,
                                       HttpRequests* requests) {
  return HttpLoad(options, requests).Run();
}

}  // namespace waterflow::bench
