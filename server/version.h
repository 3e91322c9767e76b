// Who we are, as Opened, --version and Admin.Stats say it.
#ifndef WATERFLOW_SERVER_VERSION_H_
#define WATERFLOW_SERVER_VERSION_H_

namespace waterflow::server {

inline constexpr char kServerVersion[] = "waterflowd " WATERFLOW_VERSION;

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_VERSION_H_
