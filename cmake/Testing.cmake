# tq_add_gtest(NAME SOURCES a.cpp b.cpp [LIBRARIES ..] [DEFINITIONS ..] [TIMEOUT seconds] [ONCE])
#
# Builds one GoogleTest program from SOURCES, with the library's own objects inside, so that tests may also use core
# headers (include folder core/) and nlohmann_json. Registers it once per CPU target this build has kernels for:
#   NAME.baseline, NAME.avx2, ..      with TQ_CPU_TARGET=<target> and the label <target>
# Whether the CPU has the target is found out when the test runs (tests/support/main.cpp): if not, it counts as skipped.
# ONCE registers the program a single time, on whatever target the library picks.

set(TQ_SKIPPED 77) # the exit code that means "this CPU lacks the target"

set(TQ_TEST_ENVIRONMENT GTEST_BRIEF=1)
if(CMAKE_CROSSCOMPILING)
  list(APPEND TQ_TEST_ENVIRONMENT TQ_TEST_QUICK=1) # fewer repetitions: emulation is slow
endif()

tq_object_files(tq_objects)
add_library(tq_internals INTERFACE)
target_sources(tq_internals INTERFACE ${tq_objects})
target_include_directories(tq_internals INTERFACE "${PROJECT_SOURCE_DIR}/core" "${PROJECT_SOURCE_DIR}/capi/include"
  "${PROJECT_SOURCE_DIR}/tests")
target_compile_definitions(tq_internals INTERFACE TQ_STATIC $<TARGET_PROPERTY:tq_core,INTERFACE_COMPILE_DEFINITIONS>)
target_link_libraries(tq_internals INTERFACE tq_xsimd Threads::Threads)

tq_require_gtest()
tq_require_json()

add_library(tq_gtest_main STATIC "${PROJECT_SOURCE_DIR}/tests/support/main.cpp")
target_include_directories(tq_gtest_main PRIVATE "${PROJECT_SOURCE_DIR}/capi/include")
target_compile_definitions(tq_gtest_main PRIVATE TQ_STATIC)
target_link_libraries(tq_gtest_main PUBLIC tq_gtest PRIVATE tq_build_flags)

function(tq_add_gtest NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "ONCE" "TIMEOUT" "SOURCES;LIBRARIES;DEFINITIONS")
  if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "usage: tq_add_gtest(NAME SOURCES files..), got '${ARGN}'")
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()

  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE tq_gtest_main tq_internals tq_json tq_build_flags ${ARG_LIBRARIES})
  target_compile_definitions(${NAME} PRIVATE TQ_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ${ARG_DEFINITIONS})

  if(ARG_ONCE)
    add_test(NAME ${NAME} COMMAND ${NAME})
    set_tests_properties(${NAME} PROPERTIES
      ENVIRONMENT "${TQ_TEST_ENVIRONMENT}" TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE ${TQ_SKIPPED})
    return()
  endif()
  get_property(targets GLOBAL PROPERTY TQ_ARCHS)
  foreach(target IN LISTS targets)
    add_test(NAME ${NAME}.${target} COMMAND ${NAME})
    set_tests_properties(${NAME}.${target} PROPERTIES
      ENVIRONMENT "TQ_CPU_TARGET=${target};${TQ_TEST_ENVIRONMENT}" LABELS ${target} TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE ${TQ_SKIPPED})
  endforeach()
endfunction()
