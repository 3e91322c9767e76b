#include "tests/crash/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace waterflow::testing {
namespace {

// More than this is not taken from a sender, whose own buffers then fill.
constexpr size_t kMaxHeldBytes = size_t{4} << 20;
// How soon a due chunk or an order is seen.
constexpr int kTickMs = 2;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

TcpProxy::TcpProxy(int target_port) : target_port_(target_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) !=
          0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  thread_.join();
  for (const Connection& connection : open_) Close(connection, false);
  close(listener_);
}

std::string TcpProxy::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

void TcpProxy::Run() {
  std::vector<pollfd> waits;
  while (!stop_) {
    waits.assign(1, {.fd = listener_, .events = POLLIN, .revents = 0});
    for (const Connection& c : open_) {
      for (const Direction* d : {&c.up, &c.down}) {
        const bool takes = !d->ended && d->held_bytes < kMaxHeldBytes;
        waits.push_back(
            {.fd = takes ? d->from : -1, .events = POLLIN, .revents = 0});
      }
    }
    poll(waits.data(), waits.size(), kTickMs);
    const bool reset = reset_.exchange(false);
    size_t at = 1;
    for (auto it = open_.begin(); it != open_.end();) {
      Connection& c = *it;
      for (Direction* d : {&c.up, &c.down}) {
        if (waits[at++].revents != 0) Take(&c, d);
        if (!stalled_) Pass(&c, d);
      }
      const bool over = c.up.closed && c.down.closed;
      if (reset || c.broken || over) {
        Close(c, !over);
        if (!over) ++resets_;
        it = open_.erase(it);
      } else {
        ++it;
      }
    }
    if (waits[0].revents != 0) Accept();
  }
}

void TcpProxy::Accept() {
  const int client =
      accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;
  // Loopback connects or refuses at once.
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_port_);
  Connection connection;
  connection.up.from = connection.down.to = client;
  connection.up.to = connection.down.from = server;
  if (connect(server, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    Close(connection, true);
    return;
  }
  fcntl(server, F_SETFL, O_NONBLOCK);
  const int on = 1;
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ++connections_;
  open_.push_back(std::move(connection));
}

void TcpProxy::Take(Connection* connection, Direction* direction) {
  char buffer[64 << 10];
  const ssize_t n = read(direction->from, buffer, sizeof(buffer));
  if (n > 0) {
    direction->held_bytes += n;
    direction->chunks.push_back(
        {.due = Clock::now() + std::chrono::milliseconds(delay_ms_),
         .bytes = std::string(buffer, n)});
  } else if (n == 0) {
    direction->ended = true;
  } else if (errno != EAGAIN) {
    connection->broken = true;
  }
}

void TcpProxy::Pass(Connection* connection, Direction* direction) {
  while (!direction->chunks.empty() &&
         direction->chunks.front().due <= Clock::now()) {
    std::string& bytes = direction->chunks.front().bytes;
    const ssize_t n =
        send(direction->to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN) connection->broken = true;
      return;
    }
    direction->held_bytes -= n;
    bytes.erase(0, n);
    if (!bytes.empty()) return;
    direction->chunks.pop_front();
  }
  if (direction->ended && direction->chunks.empty() && !direction->closed) {
    shutdown(direction->to, SHUT_WR);
    direction->closed = true;
  }
}

void TcpProxy::Close(const Connection& connection, bool reset) {
  for (const int fd : {connection.up.from, connection.up.to}) {
    if (reset) {
      const linger now{.l_onoff = 1, .l_linger = 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    close(fd);
  }
}

}  // namespace waterflow::testing
