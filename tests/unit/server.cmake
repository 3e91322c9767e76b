# A client of Ingest.Stream for tests, here and in tests/e2e.
add_library(waterflow_stream_client STATIC ${CMAKE_CURRENT_SOURCE_DIR}/../e2e/stream_client.cc)
target_link_libraries(waterflow_stream_client PUBLIC waterflow_proto absl::strings)

waterflow_test(server_test unit
  SOURCES server/flags_test.cc server/hostile_client_test.cc server/ingest_front_test.cc server/wire_test.cc
          ${CMAKE_CURRENT_SOURCE_DIR}/../crash/tcp_proxy.cc
  LIBS waterflow_server waterflow_stream_client)
