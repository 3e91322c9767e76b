#include "bench/http_call.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace waterflow::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// Only what waits asynchronously obeys it.
constexpr std::chrono::seconds kTimeout(30);

asio::awaitable<void> Call(uint16_t port,
                           const http::request<http::string_body>& request,
                           http::response<http::string_body>* response,
                           beast::error_code* error) {
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  const auto token = [error] {
    return asio::redirect_error(asio::use_awaitable, *error);
  };
  stream.expires_after(kTimeout);
  co_await stream.async_connect(
      asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port), token());
  if (*error) co_return;
  co_await http::async_write(stream, request, token());
  if (*error) co_return;
  beast::flat_buffer buffer;
  co_await http::async_read(stream, buffer, *response, token());
}

}  // namespace

absl::StatusOr<std::string> HttpCall(uint16_t port, const std::string& target,
                                     const std::string& body) {
  http::request<http::string_body> request(
      body.empty() ? http::verb::get : http::verb::post, target, 11);
  request.set(http::field::host, absl::StrCat("127.0.0.1:", port));
  if (!body.empty()) {
    request.set(http::field::content_type, "application/json");
  }
  request.body() = body;
  request.prepare_payload();
  http::response<http::string_body> response;
  beast::error_code error;
  asio::io_context io;
  asio::co_spawn(io, Call(port, request, &response, &error), asio::detached);
  io.run();
  if (error) return absl::UnavailableError(error.message());
  if (response.result_int() / 100 != 2) {
    return absl::InternalError(absl::StrCat(target, ": ", response.result_int(),
                                            " ", response.body()));
  }
  return response.body();
}

}  // namespace waterflow::bench
