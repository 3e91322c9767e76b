waterflow_test(engine_test unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/engine_fault_test.cc ${CMAKE_CURRENT_LIST_DIR}/engine_fork_test.cc ${CMAKE_CURRENT_LIST_DIR}/engine_ingest_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/engine_merge_test.cc engine_strips_test.cc ${CMAKE_CURRENT_LIST_DIR}/engine_quota_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/engine_read_test.cc ${CMAKE_CURRENT_LIST_DIR}/engine_workers_test.cc
  LIBS storage_engine storage_database)
waterflow_test(database_test unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/database_manifest_guard_test.cc
               LIBS storage_engine storage_database)
waterflow_test(format_test unit
               SOURCES ${CMAKE_CURRENT_LIST_DIR}/format_summary_test.cc ${CMAKE_CURRENT_LIST_DIR}/format_value_type_test.cc
               LIBS storage_format)
# Counts every allocation of its process.
if(NOT WATERFLOW_SANITIZE)
  waterflow_test(engine_allocation_test unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/engine_allocation_test.cc
                 LIBS storage_engine storage_database)
endif()
waterflow_test(relay_store_test unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/relay_join_test.cc ${CMAKE_CURRENT_LIST_DIR}/relay_store_test.cc
               LIBS storage_relay storage_engine storage_database)
