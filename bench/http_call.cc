#include "bench/http_call.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "absl/strings/str_cat.h"

namespace waterflow::bench {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

absl::StatusOr<std::string> HttpCall(uint16_t port, const std::string& target,
                                     const std::string& body) {
  asio::io_context io;
  beast::tcp_stream stream(io);
  beast::error_code error;
  stream.connect({asio::ip::address_v4::loopback(), port}, error);
  if (error) return absl::UnavailableError(error.message());
  http::request<http::string_body> request(
      body.empty() ? http::verb::get : http::verb::post, target, 11);
  request.set(http::field::host, absl::StrCat("127.0.0.1:", port));
  if (!body.empty()) {
    request.set(http::field::content_type, "application/json");
  }
  request.body() = body;
  request.prepare_payload();
  http::write(stream, request, error);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  if (!error) http::read(stream, buffer, response, error);
  if (error) return absl::UnavailableError(error.message());
  if (response.result_int() / 100 != 2) {
    return absl::InternalError(absl::StrCat(target, ": ", response.result_int(),
                                            " ", response.body()));
  }
  return response.body();
}

}  // namespace waterflow::bench
