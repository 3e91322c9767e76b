# The real command line against the real server, as programs.
waterflow_test(client_trace_test e2e TIMEOUT 600
  SOURCES client_trace_test.cc client_programs.cc
  LIBS waterflow_cli waterflow_client)
target_compile_definitions(client_trace_test PRIVATE
  WATERFLOWD="$<TARGET_FILE:waterflowd>" WATERFLOW="$<TARGET_FILE:waterflow>"
  TRACE="${CMAKE_SOURCE_DIR}/examples/trace")
add_dependencies(client_trace_test waterflowd waterflow)

# What an operator types.
waterflow_test(keep_e2e_test e2e TIMEOUT 600
  SOURCES keep_e2e_test.cc client_programs.cc
  LIBS waterflow_cli waterflow_client)
target_compile_definitions(keep_e2e_test PRIVATE
  WATERFLOWD="$<TARGET_FILE:waterflowd>" WATERFLOW="$<TARGET_FILE:waterflow>"
  TRACE="${CMAKE_SOURCE_DIR}/examples/trace")
add_dependencies(keep_e2e_test waterflowd waterflow)
