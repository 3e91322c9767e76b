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

# Following a run while its server dies.
waterflow_test(tail_kill_e2e_test e2e TIMEOUT 600
  SOURCES tail_kill_e2e_test.cc client_programs.cc
  LIBS waterflow_cli waterflow_client)
target_compile_definitions(tail_kill_e2e_test PRIVATE
  WATERFLOWD="$<TARGET_FILE:waterflowd>" WATERFLOW="$<TARGET_FILE:waterflow>")
add_dependencies(tail_kill_e2e_test waterflowd waterflow)

# The examples of docs/query.md, as they are written there.
waterflow_test(query_doc_test e2e TIMEOUT 600
  SOURCES query_doc_test.cc client_programs.cc
  LIBS waterflow_cli waterflow_client)
target_compile_definitions(query_doc_test PRIVATE
  WATERFLOWD="$<TARGET_FILE:waterflowd>" WATERFLOW="$<TARGET_FILE:waterflow>"
  TRACE="${CMAKE_SOURCE_DIR}/examples/trace" QUERY_DOC="${CMAKE_SOURCE_DIR}/docs/query.md")
add_dependencies(query_doc_test waterflowd waterflow)
