waterflow_test(search_test unit SOURCES search_index_test.cc search_language_test.cc search_random_test.cc
               LIBS storage_search)
target_compile_definitions(search_test PRIVATE
                           WATERFLOW_SEARCH_DOC="${CMAKE_SOURCE_DIR}/docs/search.md")

waterflow_test(engine_search_test unit SOURCES engine_search_test.cc LIBS storage_engine)
waterflow_test(engine_table_test unit SOURCES engine_table_test.cc LIBS storage_engine)
waterflow_test(engine_latest_test unit SOURCES engine_latest_test.cc LIBS storage_engine storage_database)
waterflow_test(engine_bands_test unit SOURCES engine_bands_test.cc LIBS storage_engine)
