// Passes TCP connections on, until it is told to fall silent: then nothing goes
// either way any more and nobody is told, as when a cable is pulled.
#ifndef WATERFLOW_TESTS_UNIT_SERVER_TCP_PROXY_H_
#define WATERFLOW_TESTS_UNIT_SERVER_TCP_PROXY_H_

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

namespace waterflow::testing {

class TcpProxy {
 public:
  // Listens on a free port of the loopback and passes on to this one.
  explicit TcpProxy(int to_port);
  // Closes all connections.
  ~TcpProxy();

  int port() const { return port_; }
  void FallSilent() { silent_ = true; }

 private:
  void Run();
  void Accept();

  const int to_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> silent_{false};
  std::atomic<bool> stopping_{false};
  std::vector<std::pair<int, int>> ways_;  // from, to: two of each connection
  std::thread thread_;
};

// A connection to a port of the loopback; -1: none.
int ConnectTo(int port);

}  // namespace waterflow::testing

#endif  // WATERFLOW_TESTS_UNIT_SERVER_TCP_PROXY_H_
