#include "tests/unit/server/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace waterflow::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void SendAll(int to, const char* bytes, ssize_t size) {
  while (size > 0) {
    const ssize_t sent = send(to, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes += sent;
    size -= sent;
  }
}

}  // namespace

int ConnectTo(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

TcpProxy::TcpProxy(int to_port) : to_port_(to_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) !=
          0) {
    return;
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  for (size_t i = 0; i < ways_.size(); i += 2) {
    close(ways_[i].first);
    close(ways_[i].second);
  }
  close(listener_);
}

void TcpProxy::Accept() {
  const int from = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const int to = ConnectTo(to_port_);
  ways_.emplace_back(from, to);
  ways_.emplace_back(to, from);
}

void TcpProxy::Run() {
  while (!stopping_) {
    std::vector<pollfd> polled = {{listener_, POLLIN, 0}};
    for (const auto& [from, to] : ways_) polled.push_back({from, POLLIN, 0});
    if (silent_) polled.clear();
    poll(polled.data(), polled.size(), 10);
    if (silent_) continue;
    for (size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      char bytes[65536];
      const auto [from, to] = ways_[i - 1];
      const ssize_t size = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
      if (size > 0) SendAll(to, bytes, size);
      if (size == 0) shutdown(to, SHUT_WR);
    }
    if (polled[0].revents != 0) Accept();
  }
}

}  // namespace waterflow::testing
