#include "bench/query/http_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/none.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace waterflow::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

std::string Encoded(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    if (absl::ascii_isalnum(c)) {
      out.push_back(static_cast<char>(c));
    } else {
      absl::StrAppendFormat(&out, "%%%02X", c);
    }
  }
  return out;
}

}  // namespace

struct HttpClient::Connection {
  asio::io_context io;
  beast::tcp_stream stream{io};
  beast::flat_buffer buffer;
  std::string host;
};

HttpClient::HttpClient(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

HttpClient::~HttpClient() = default;

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Connect(uint16_t port) {
  auto connection = std::make_unique<Connection>();
  beast::error_code error;
  connection->stream.connect(
      asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port), error);
  if (!error) {
    connection->stream.socket().set_option(asio::ip::tcp::no_delay(true),
                                           error);
  }
  if (error) return absl::UnavailableError(error.message());
  connection->host = absl::StrCat("127.0.0.1:", port);
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(connection)));
}

absl::StatusOr<std::string> HttpClient::Post(
    const std::string& target,
    const std::vector<std::pair<std::string, std::string>>& form) {
  http::request<http::string_body> request(http::verb::post, target, 11);
  request.set(http::field::host, connection_->host);
  request.set(http::field::content_type, "application/x-www-form-urlencoded");
  for (const auto& [name, value] : form) {
    absl::StrAppend(&request.body(), request.body().empty() ? "" : "&", name,
                    "=", Encoded(value));
  }
  request.prepare_payload();
  beast::error_code error;
  http::write(connection_->stream, request, error);
  if (error) return absl::UnavailableError(error.message());
  http::response_parser<http::string_body> response;
  response.body_limit(boost::none);
  http::read(connection_->stream, connection_->buffer, response, error);
  if (error) return absl::UnavailableError(error.message());
  if (response.get().result_int() / 100 != 2) {
    return absl::InternalError(
        absl::StrCat(target, ": ", response.get().result_int(), " ",
                     response.get().body().substr(0, 500)));
  }
  return std::move(response.get().body());
}

}  // namespace waterflow::bench
